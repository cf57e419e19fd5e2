"""The shell parser: commands and written files of plain lines, and reasons why other lines are not plain."""

import subprocess

import pytest

from agent.permissions.command_wrappers import BUILTINS, RESERVED
from agent.permissions.decisions import LONGEST, parse_line

PLAIN = {
    "git status -s": [("git", "status", "-s")],
    "git log a && git grep -e 'a b' || ls; pwd": [
        ("git", "log", "a"),
        ("git", "grep", "-e", "a b"),
        ("ls",),
        ("pwd",),
    ],
    "ls\n\n  pwd &&\nls;\n": [("ls",), ("pwd",), ("ls",)],
    "cat f | grep 'x y' | wc -l": [("cat", "f"), ("grep", "x y"), ("wc", "-l")],
    "X=1 Y=a:b pytest -x": [("X=1", "Y=a:b", "pytest", "-x")],
    "timeout 10s pytest": [("pytest",)],
    "X=1 timeout 10 pytest": [("X=1", "pytest")],
    "grep 'a'\"b\"c d": [("grep", "abc", "d")],
    'grep "a\\|b" f': [("grep", "a\\|b", "f")],
    "printf '%s %d%%\\n\\t' a 1": [("printf", "%s %d%%\\n\\t", "a", "1")],
    "test -f 'a b' && ls": [("test", "-f", "a b"), ("ls",)],
    "git diff HEAD~1 HEAD^~": [("git", "diff", "HEAD~1", "HEAD^~")],
    "sed -n 1,20p f": [("sed", "-n", "1,20p", "f")],
    "python3.11 -m pytest -x": [("python3.11", "-m", "pytest", "-x")],
    "python -c 'print(1)'": [("python", "-c", "print(1)")],
    "bash ./f": [("bash", "./f")],
}


@pytest.mark.parametrize("line", PLAIN)
def test_commands_of_plain_line_are_found(line: str) -> None:
    parsed = parse_line(line)
    assert [*parsed.commands] == PLAIN[line]
    assert parsed.why == ""


@pytest.mark.parametrize(("line", "folder"), [("cd src/a && ls", "src/a"), ("cd src", "src"), ("ls cd", "")])
def test_folder_of_cd_is_found(line: str, folder: str) -> None:
    assert (parse_line(line).folder, parse_line(line).why) == (folder, "")


@pytest.mark.parametrize("kind", ["b", "k"])
def test_builtins_and_keywords_of_bash_are_known(kind: str) -> None:
    names = set(subprocess.run(["bash", "-c", f"compgen -{kind}"], capture_output=True, text=True).stdout.split())
    assert names
    assert names <= (BUILTINS if kind == "b" else RESERVED)


NOT_PLAIN = {
    "eval": "eval 'rm x'",
    "a command name from a variable": "$x y",
    "a command name from a substitution": "$(echo rm) x",
    "a command name in braces": "{rm,x}",
    "backticks": "echo `rm x`",
    "heredoc": "python <<E\nimport os\nE",
    "here-string": "bash <<< 'rm x'",
    "a shell that reads a pipe": "echo rm | bash",
    "a shell with -s": "bash -s x",
    "an interpreter that reads a pipe": "echo 1 | python -",
    "a shell with variables": "PATH=. bash -c ls",
    "function": "ls() { rm x; }; ls",
    "function with keyword": "function ls { rm x; }",
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
    "a file named by a variable": "ls > $x",
    "a command after a redirection": "env 2>&1 rm x",
    "network": "cat < /dev/tcp/host/80",
    "a non-breaking space": "git\u00a0status",
    "a carriage return": "git status\rrm x",
    "a form feed": "ls\x0crm",
    "a continued word": "ls\\\n-s",
    "a newline before a continuation": "ls\n\\\nrm x",
    "a comment with a continuation": "ls # x \\\nrm x",
    "an open quote": "ls 'x",
    "an open bracket": "ls $(rm x",
    "env with options": "env -S 'rm x'",
    "env from xargs": "ls | xargs env",
    "xargs with a replacement string": "ls | xargs -I X X",
    "xargs with an unknown option": "ls | xargs --arg-file=x ls",
    "find that deletes": "find . -delete",
    "find with a glob": "find *",
    "git with a setting": "git -c core.pager='rm x' log",
    "git with a helper": "git fetch --upload-pack='rm x' a",
    "git with a helper in short": "git fetch --upl='rm x' a",
    "git with a command": "git submodule foreach 'rm x'",
    "rg with a helper": "rg --pre ./x y",
    "fd that runs": "fd -x rm",
    "Debian's fd that runs": "fdfind --exec rm",
    "tar with a helper": "tar -xf a --to-command='rm x'",
    "sed": "sed -i s/a/b/ f",
    "awk": "awk 'BEGIN{system(\"rm x\")}'",
    "a subscript": "unset 'DIRSTACK[$(rm x)0]'",
    "a name from a variable": "unset $x",
    "jobs": "jobs -x rm x",
    "wait": "wait -n -p 'DIRSTACK[$(rm x)0]'",
    "a variable of the shell": "RANDOM='a[$(rm x)]'",
    "a variable of a new shell": "env BASH_ENV=x bash ./f",
    "compgen": "compgen -C rm",
    "declare": "declare -i x='a[$(rm x)]'",
    "a loop": "for x in a; do ls; done",
    "a condition": "if ls; then ls; fi",
    "a subshell": "(ls)",
    "a group": "{ ls; }",
    "a background job": "ls & ls",
    "a variable": "ls $x",
    "a glob": "ls *.py",
    "a home directory": "ls ~/x",
    "a home directory after a colon": "X=a:~/b ls",
    "a backslash": "ls \\x",
    "a comment": "ls # x",
    "an input file": "ls < a",
    "another descriptor": "ls 3>a",
    "a Unicode digit": "true >&\u00b2",
    "text after a duplicated descriptor": "true >&1x",
    "a variable for a descriptor": "true {PATH}>f; ls",
    "a redirection glued to a word": "true x>f",
    "a redirection without a command": "> a",
    "only a variable": "x=1",
    "an appended variable": "A+=1 ls",
    "a variable in quotes": "X='1 2' ls",
    "a program named like an assignment": "'x=./evil' ls",
    "a name in quotes": "'ls' x",
    "a variable for a builtin": "PATH=. :",
    "a missing command between separators": "ls; ; ls",
    "a missing last command": "ls &&",
    "two cd commands": "cd a; cd a",
    "cd as a later command": "ls; cd a",
    "cd in a pipe": "cd a | ls",
    "cd with an alternative": "cd a || ls",
    "cd with an option": "cd -P a",
    "cd with a quoted dash": "cd '-'",
    "a test of a variable": "test -v x",
    "a test of numbers": "test 1 -eq 'x[$(rm y)]'",
    "a test in brackets": "[ -f x ]",
    "printf that sets": "printf '0%n' PATH; ls",
    "printf of times": "printf '%(%s)T' -1",
    "printf of a width": "printf '%*d' 1 2",
    "printf into a variable": "printf -v x 1",
    "printf of an escape": "printf '\\x41'",
    "timeout with an option": "timeout -k 1 5 ls",
    "timeout of a builtin": "timeout 5 eval ls",
    "timeout of a timeout": "timeout 5 timeout 5 ls",
    "tar with a remote shell": "tar -tf a --rs=./evil",
    "an archive on another machine": "tar -tf localhost:x",
    "a filter of git": "git cat-file --t HEAD:f",
    "timeout of a shell": "timeout 5 bash -c ls",
    "nice": "nice ls",
    "bash -c": "bash -c ls",
    "another bash": "/usr/local/bin/bash -c ls",
    "a versioned interpreter that reads a pipe": "cat f | python3.11",
    "find that runs": "find . -name x -exec ls ';'",
    "sort that writes": "sort -T -- -o f",
    "git with an option after a value": "git diff --no-index -S -- --output=x a b",
    "a long line": "ls " + "x" * LONGEST,
    "a deep line": "(" * 3000 + "ls" + ")" * 3000,
}


@pytest.mark.parametrize("line", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_line_that_is_not_plain_gives_reason(line: str) -> None:
    assert parse_line(line).why


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("ls > a 2>&1", ("a",)),
        ("ls >> a 2> b; pwd 1>c", ("a", "b", "c")),
        ("ls > 'a b'", ("a b",)),
        ("> a ls", ("a",)),
        ("ls > a b", ("a",)),
        ("ls >&2 2>/dev/null", ("/dev/null",)),
    ],
)
def test_redirected_files_are_found(line: str, files: tuple[str, ...]) -> None:
    parsed = parse_line(line)
    assert (parsed.writes, parsed.why) == (files, "")


def test_empty_line_has_no_command() -> None:
    assert parse_line("").commands == parse_line("\n ").commands == ()
