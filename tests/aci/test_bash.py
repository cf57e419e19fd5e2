"""What a command line runs and writes; what is not plain is said to be so."""

import os
import subprocess

import pytest

from aci.bash import LONGEST, read
from aci.bash_running import ASKED_BUILTINS, BUILTIN_ARGUMENTS, RESERVED, SHELL_VARIABLE

PLAIN = {
    "git status -s": [("git", "status", "-s")],
    "git log a && git grep -e 'a b' || ls; pwd": [
        ("git", "log", "a"),
        ("git", "grep", "-e", "a b"),
        ("ls",),
        ("pwd",),
    ],
    'cat f | grep "x $y" | wc -l': [("cat", "f"), ("grep", None), ("wc", "-l")],
    "(cd src; ls) &": [("cd", "src"), ("ls",)],
    "{ ls; pwd; }": [("ls",), ("pwd",)],
    'echo "$(rm x)"': [("rm", "x"), ("echo", None)],
    "diff <(ls a) <(ls b)": [("ls", "a"), ("ls", "b"), ("diff", None, None)],
    "if ls; then rm x; else pwd; fi": [("ls",), ("rm", "x"), ("pwd",)],
    "while ls; do rm x; done": [("ls",), ("rm", "x")],
    "for f in a $(b); do rm $f; done": [("b",), ("rm", None)],
    "X=1 Y='2 3' pytest -x": [("X=1", "Y=2 3", "pytest", "-x")],
    "env X=1 pytest": [("X=1", "pytest")],
    "X=1": [("X=1",)],
    "export X=1": [("export", "X=1")],
    "bash -c 'rm x; ls'": [("rm", "x"), ("ls",)],
    'sh -ec "git status"': [("git", "status")],
    "bash -c 'bash -c \"rm x\"'": [("rm", "x")],
    "nohup nice -n 5 timeout 10s rm x": [("rm", "x")],
    "command rm x": [("rm", "x")],
    "time rm x": [("rm", "x")],
    "ls | xargs -0 -n 1 rm -f": [("ls",), ("rm", "-f", None)],
    "ls | xargs": [("ls",), ("echo", None)],
    "find . -exec rm {} \\;": [("find", ".", "-exec", "rm", "{}", ";"), ("rm", None)],
    "ls # rm x": [("ls",)],
    "# rm x\nls": [("ls",)],
    "ls \\\n  -s": [("ls", "-s")],
    "ls a\\ b 'c'\"d\"e": [("ls", "a b", "cde")],
    "git diff HEAD~1 HEAD^": [("git", "diff", "HEAD~1", "HEAD^")],
    "git diff -- *.py": [("git", "diff", "--", None)],
    "ls *.py ~/x {a,b}": [("ls", None, None, None)],
    "sed -n 1,20p f": [("sed", "-n", "1,20p", "f")],
    "EPOCHS=3 python train.py": [("EPOCHS=3", "python", "train.py")],
    "COMPILER=gcc COMPOSE_FILE=a COMP_DIR=b make": [("COMPILER=gcc", "COMPOSE_FILE=a", "COMP_DIR=b", "make")],
    "GLOBAL_STEP=1 FUNCTION_NAME=f MAILTO=a ls": [("GLOBAL_STEP=1", "FUNCTION_NAME=f", "MAILTO=a", "ls")],
    "export PROMPT=a HISTORY=b SHELL_NAME=c": [("export", "PROMPT=a", "HISTORY=b", "SHELL_NAME=c")],
    "./env X=1 rm": [("./env", "X=1", "rm")],
    "/usr/bin/env X=1 rm": [("X=1", "rm")],
}


@pytest.mark.parametrize("line", PLAIN)
def test_commands_of_a_line(line: str) -> None:
    found = read(line)
    assert [*found.commands] == PLAIN[line]
    assert found.why == ""


@pytest.mark.parametrize("kind", ["b", "k", "v"])
def test_all_builtins_keywords_and_variables_of_bash_are_known(kind: str) -> None:
    """A newer bash may have more of them: say of each whether what it is given is data."""
    command, few = ["bash", "-c", f"compgen -{kind}"], {"PATH": os.defpath}
    names = set(subprocess.run(command, capture_output=True, text=True, check=True, env=few).stdout.split())
    assert names
    if kind == "b":
        assert names <= ASKED_BUILTINS | BUILTIN_ARGUMENTS.keys()
    elif kind == "k":
        assert names <= RESERVED | {"time"}
    else:
        data = {"HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "PWD", "OLDPWD", "TERM", "COLUMNS", "LINES", "HOME"}
        assert {name for name in names - data if not SHELL_VARIABLE.fullmatch(name)} == set()


def test_variables_that_only_some_shells_set_are_known() -> None:
    """Those that the manual of bash names besides, or sets only where it completes words or edits a line."""
    names = (
        "COMP_CWORD COMP_KEY COMP_LINE COMP_POINT COMP_TYPE COMP_WORDS COMPREPLY COPROC FUNCNAME FUNCNEST GLOBIGNORE "
        "GLOBSORT HISTCONTROL HISTFILE HISTFILESIZE HISTIGNORE HISTSIZE HISTTIMEFORMAT MAIL MAILCHECK MAILPATH "
        "PROMPT_COMMAND PROMPT_DIRTRIM READLINE_ARGUMENT READLINE_LINE READLINE_MARK READLINE_POINT"
    )
    assert [name for name in names.split() if not read(f"{name}=1 ls").why] == []


STRANGE = {
    "eval": "eval 'rm x'",
    "a name from a variable": "$x y",
    "a name from a command": "$(echo rm) x",
    "a name in braces": "{rm,x}",
    "backticks": "echo `rm x`",
    "heredoc": "python <<E\nimport os\nE",
    "here-string": "bash <<< 'rm x'",
    "a shell that reads": "echo rm | bash",
    "a shell with -s": "bash -s x",
    "an interpreter that reads": "echo 1 | python -",
    "a shell with variables": "PATH=. bash -c ls",
    "function": "ls() { rm x; }; ls",
    "function by word": "function ls { rm x; }",
    "alias": "alias ls=rm",
    "source": ". ./x",
    "exec": "exec rm x",
    "trap": "trap 'rm x' EXIT",
    "sudo": "sudo rm x",
    "coproc": "coproc rm x",
    "case": "case a in a) rm x;; esac",
    "test": "[[ -v 'a[$(rm x)]' ]]",
    "arithmetic": "echo $((x))",
    "arithmetic command": "((x=1))",
    "a dollar before a command": 'ls "a$ $(rm x) b"',
    "a default": "echo ${x:-$(rm x)}",
    "a pattern": "echo ${x@P}",
    "array": "x=(rm x)",
    "index": "x[$(rm x)]=1",
    "a variable from a command": "x=$(rm x)",
    "a loop over a setting": "for PATH in .; do ls; done",
    "ansi": "echo $'a\\'; rm x #'",
    "translated": 'echo $"x"',
    "a file named late": "ls > $x",
    "a command behind a redirection": "env 2>&1 rm x",
    "several files": "ls > a b",
    "network": "cat < /dev/tcp/host/80",
    "an unseen space": "git\u00a0status",
    "a carriage return": "git status\rrm x",
    "a form feed": "ls\x0crm",
    "a word that goes on": "ls\\\n-s",
    "a newline before a line that goes on": "ls\n\\\nrm x",
    "a comment that goes on": "ls # x \\\nrm x",
    "an open quote": "ls 'x",
    "an open bracket": "ls $(rm x",
    "env with options": "env -S 'rm x'",
    "env from xargs": "ls | xargs env",
    "xargs with a mark": "ls | xargs -I X X",
    "xargs with an unknown option": "ls | xargs --arg-file=x ls",
    "find that deletes": "find . -delete",
    "find with names": "find *",
    "git with a setting": "git -c core.pager='rm x' log",
    "git with a helper": "git fetch --upload-pack='rm x' a",
    "git with a helper in short": "git fetch --upl='rm x' a",
    "git with a command": "git submodule foreach 'rm x'",
    "rg with a helper": "rg --pre ./x y",
    "tar with a helper": "tar -xf a --to-command='rm x'",
    "sed": "sed -i s/a/b/ f",
    "awk": "awk 'BEGIN{system(\"rm x\")}'",
    "a subscript": "unset 'DIRSTACK[$(rm x)0]'",
    "a name known late": "unset $x",
    "a job": "jobs -x rm x",
    "a wait": "wait -n -p 'DIRSTACK[$(rm x)0]'",
    "a variable of the shell": "RANDOM='a[$(rm x)]'",
    "a variable of a new shell": "env BASH_ENV=x bash ./f",
    "a completion": "compgen -C rm",
    "declare": "declare -i x='a[$(rm x)]'",
    "a long line": "ls " + "x" * LONGEST,
    "a deep line": "(" * 3000 + "ls" + ")" * 3000,
}


@pytest.mark.parametrize("line", STRANGE.values(), ids=STRANGE)
def test_what_no_rule_may_allow(line: str) -> None:
    assert read(line).why


@pytest.mark.parametrize("line", ["eval 'rm x'", "f() { rm x; }", "echo `rm x`", "cat <<E\n$(rm x)\nE", "env -i rm x"])
def test_what_is_not_plain_is_looked_through(line: str) -> None:
    assert ("rm", "x") in read(line).commands


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("ls > a 2>&1", ("a",)),
        ("ls >> a 2> b", ("a", "b")),
        ("ls &> 'a b'", ("a b",)),
        ("(ls; pwd) >| a", ("a",)),
        ("ls >& a", ("a",)),
        ("> a ls", ("a",)),
        ("ls < a", ()),
        ("ls >&2", ()),
        ("ls 2>&-", ()),
    ],
)
def test_files_that_are_written(line: str, files: tuple[str, ...]) -> None:
    found = read(line)
    assert (found.writes, found.why) == (files, "")


def test_nothing_is_no_command() -> None:
    assert read("").commands == read("# ls").commands == ()
