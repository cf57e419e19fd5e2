"""What rules decide: all of it must be allowed, and what one part of it forbids, the whole does not."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.approvals import Approval, Kind
from agent.judging import Decision, judge
from agent.permissions import Kept
from agent.rules import Rule, offered, rule_of


def decide(subject: str, *allow: str, deny: tuple[str, ...] = (), kind: Kind = "command", root: str = "/w") -> Decision:
    kept = [Kept(Rule(kind, pattern), "session") for pattern in allow]
    return judge(Approval(kind, "?", subject, root=root), [Rule(kind, pattern) for pattern in deny], kept)


# Commands


@pytest.mark.parametrize(
    "line",
    [
        "git status",
        "git status -s",
        "cd src && git status | git status > out 2>/dev/null",
        "nice git status; true",
        "bash -c 'git status'",
        "for x in a b; do git status; done",
        "cd /w/src && git status",
    ],
)
def test_a_rule_covers_a_line_of_which_it_covers_all(line: str) -> None:
    decision = decide(line, "git status")
    assert (decision.yes, decision.rules, decision.by) == (True, (Rule("command", "git status"),), "session")


@pytest.mark.parametrize(
    "line",
    [
        "git statusx",
        "git",
        "git -C x status",
        "git log",
        "./git status",
        "git status; rm x",
        "git status $(rm x)",
        "git status > /etc/x",
        "git status > ../x",
        "git status > .git/hooks/pre-commit",
        "cd .. && git status",
        "cd && git status",
        "cd - && git status",
        "cd $x && git status",
        "cd /w/../x; git status",
        "cd a; cd b; git status > c",
        "X=1 git status",
        "git status\nrm x",
        "git status\n\\\nrm x",
        "git $x status",
        "",
    ],
)
def test_a_rule_does_not_cover_more(line: str) -> None:
    assert decide(line, "git status").yes is None


def test_an_exact_rule_covers_no_more() -> None:
    assert decide("rm -r build", "exactly rm -r build").yes
    assert decide("rm -r build /home", "exactly rm -r build").yes is None


def test_a_link_out_of_the_workspace_is_followed(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "in").mkdir()
    (tmp_path / "w" / "out").symlink_to(tmp_path)
    (tmp_path / "w" / "in" / "far").symlink_to(tmp_path / "file")
    (tmp_path / "w" / "circle").symlink_to("circle")
    root = str(tmp_path / "w")
    assert decide("ls > in/x", "ls", root=root).yes
    assert decide("ls > out/x", "ls", root=root).yes is None
    assert decide("cd out; ls", "ls", root=root).yes is None
    assert decide("cd in; ls > far", "ls", root=root).yes is None
    assert decide("ls > circle/x", "ls", root=root).yes is None


def test_where_the_shell_is_counts() -> None:
    away = Approval("command", "?", "ls > x", root="/w", folder="/tmp")
    assert judge(away, [], [Kept(Rule("command", "ls"), "session")]).yes is None


def test_what_cannot_be_ruled_says_why() -> None:
    decision = decide("eval ls", "ls", "eval")
    assert (decision.yes, decision.always) == (None, ())
    assert "eval" in decision.why


def test_what_is_typed_into_a_terminal_is_asked() -> None:
    typed = Approval("command", "?", "git status\n", why="it is typed")
    decision = judge(typed, [], [Kept(Rule("command", "git status"), "config")])
    assert (decision.yes, decision.why) == (None, "it is typed")


@pytest.mark.parametrize(
    "line",
    [
        "git push",
        "git -C x push -f",
        "ls && git push",
        "/usr/bin/git push",
        "X=1 git push",
        "sudo -u x git push",
        "eval 'git push'",
        "echo `git push`",
        "f() { git push; }",
        "bash -c 'git push'",
        "ls | xargs git push",
    ],
)
def test_what_is_denied_is_denied_whoever_allows_it(line: str) -> None:
    decision = decide(line, "git", "ls", deny=("git push",))
    assert (decision.yes, decision.rules, decision.by) == (False, (Rule("command", "git push"),), "config")


def test_all_commands_can_be_denied() -> None:
    assert decide("ls", "ls", deny=("*",)).yes is False
    assert decide("git log push", "git", deny=("exactly git push",)).yes


# What is offered


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("git diff HEAD~1", ["git diff"]),
        ("npm run test -- -x", ["npm run test"]),
        ("pytest -x tests", ["pytest"]),
        ("python -m pytest -x", ["python -m pytest"]),
        ("python setup.py build", ["python setup.py"]),
        ("uv run pytest", ["uv run pytest"]),
        ("X=1 pytest a", ["X=1 pytest"]),
        ("cargo publish", ["exactly cargo publish"]),
        ("uv run python -c 1", ["exactly uv run python -c 1"]),
        ("rm -r 'a b'", ["exactly rm -r 'a b'"]),
        ("git log && git diff | cat; git log x", ["git log", "git diff", "cat"]),
        ("rm $x", []),
    ],
)
def test_the_rule_that_is_offered(line: str, rules: list[str]) -> None:
    decision = decide(line)
    assert [rule.pattern for rule in decision.always] == rules
    if rules:
        assert decide(line, *rules).yes


@pytest.mark.parametrize(
    "line",
    [
        "git clone -u ./evil . x",
        "git clone --template=evil . x",
        "git grep -lO./g x",
        "git grep -Ovi x",
        "git grep --open-files-in-pager=vi x",
        "git archive -o /w/x HEAD",
        "git format-patch -o /tmp HEAD~1",
        "git bundle create x HEAD",
        "git difftool -yx./evil",
        "git diff --output=x",
        "git log --outp x",
        "git log -p --ext-d",
        "git add .",
        "git branch new",
        "git -c alias.log=!evil log",
        "git log $x",
        "git",
    ],
)
def test_all_of_git_but_reading_is_asked_each_time(line: str) -> None:
    decision = decide(line, "git")
    assert (decision.yes, decision.always) == (None, ())


@pytest.mark.parametrize(
    "line",
    [
        "git log --oneline --only-matching -n 3 -- $x",
        "git grep -nAO -e FOO x",
        "git grep -eOS x",
        "git diff --exit-code -O order",
        "git ls-files -o --others --exclude-standard",
        "git --no-pager show HEAD:x",
        "git branch -a",
        "git remote -v",
        "git log -- --output=x",
    ],
)
def test_what_git_reads_may_be_allowed(line: str) -> None:
    assert decide(line, "git").yes


def test_a_link_to_gits_own_folder_is_no_way_in(tmp_path: Path) -> None:
    (tmp_path / ".git" / "hooks").mkdir(parents=True)
    (tmp_path / "link").symlink_to(".git")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "up").symlink_to("../.git/config")
    lines = ["cat a > link/hooks/x", "cd link && cat a > b", "cat a > .GIT/config", "cat a > src/up", "cat a > Git~1/x"]
    lines += ["cd src && cat a > up", "cat a > '.git ./x'", "cat a > .g\u200cit/x"]
    assert [line for line in lines if decide(line, "cat", root=str(tmp_path)).yes is not None] == []
    assert decide("cd src && cat a > gitx", "cat", root=str(tmp_path)).yes


def test_only_what_is_not_allowed_yet_is_offered() -> None:
    assert [rule.pattern for rule in decide("ls; git log", "ls").always] == ["git log"]


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(WORD, min_size=1, max_size=4))
def test_an_offered_rule_is_written_and_read_alike(words: list[str]) -> None:
    rule = offered(tuple(words))
    assert rule is not None
    assert rule.covers(tuple(words))
    again = rule_of(str(rule))
    assert again == rule or not rule.words


# Builtins of a shell

CODE = ("DIRSTACK[$(evil)0]", "GROUPS[`evil`0]", "x[$(evil)0]", "x[$(evil)0]=1", "x=([$(evil)0]=1)", "$(evil)", "evil")
OPTIONS = ("", "-", "-a", "-d", "-e", "-i", "-l", "-n", "-p", "-s", "-v", "-x", "-C", "-W", "-np", "-n -p", "-aix")
VARIABLES = ("OPTIND", "RANDOM", "HISTCMD", "PS4", "BASH_ENV", "x")


def test_no_builtin_evaluates_or_runs_what_a_rule_for_it_does_not_show(shells: Callable[[str], set[str]]) -> None:
    """Each builtin of bash with each option and each argument that may be code; those that are allowed are run."""
    names = subprocess.run(["bash", "-c", "compgen -b"], capture_output=True, text=True, check=True).stdout.split()
    ran = {}
    for name in names:
        lines = [f"{name} {option} '{code}'" for option in OPTIONS for code in CODE]
        lines += [f"ls & {name} {option} '{code}' %1" for option in ("-x", "-p", "-n -p") for code in CODE]
        lines += [f"for x in {option} '{code}'; do {name} $x evil; done" for option in ("", "-x") for code in CODE]
        lines += [f"{wrapper} {name} '{code}'" for wrapper in ("command", "builtin", "time") for code in CODE]
        if allowed := [line for line in lines if decide(line, name, "ls").yes]:
            ran[name] = shells("\n".join(allowed))
    assert {name: found for name, found in ran.items() if "evil" in found} == {}
    assert {"echo", "printf", "test", "true"} <= ran.keys()


def test_no_variable_of_the_shell_is_set_by_rule(shells: Callable[[str], set[str]]) -> None:
    (shells.work / "f").write_text("ls\n")  # type: ignore[attr-defined]
    (shells.work / "ls").write_text("#!/bin/sh\nevil\n")  # type: ignore[attr-defined]
    (shells.work / "ls").chmod(0o755)  # type: ignore[attr-defined]
    lines = ["unset PATH; ls", "command unset PATH; ls", "PATH=.; ls", "PATH=. ls"]
    for name in VARIABLES:
        for code in ("$(evil)", "a[$(evil)]"):
            given = f"{name}='{code}'"
            lines += [f"{given}; set -x; ls", f"export {given}; set -x; ls", f"command export {given}; set -x; ls"]
            lines += [f"{given} bash ./f", f"env {given} bash ./f", f"export {given}; bash -c ls; bash ./f"]
    allow = ["set", "ls", "bash", "unset", "export", "PATH=."]
    allow += [shlex.join([f"{name}={code}"]) for name in VARIABLES for code in ("$(evil)", "a[$(evil)]")]
    allowed = [line for line in lines if decide(line, *allow, root=str(shells.work)).yes]  # type: ignore[attr-defined]
    assert [line for line in allowed if "evil" in shells(line)] == []
    assert "x='$(evil)'; set -x; ls" in allowed


@pytest.mark.parametrize(
    "line",
    ["unset x y", "ls & wait", "ls & wait -n", "wait 12", "export X=1; ls", "set -eu; ls", "exit 1", "test -f x && ls"],
)
def test_plain_uses_of_builtins_may_be_allowed(line: str) -> None:
    rules = [rule.pattern for rule in decide(line).always]
    assert rules
    assert decide(line, *rules).yes


def test_a_program_whose_name_looks_like_an_assignment_is_none(shells: Callable[[str], set[str]]) -> None:
    folder = shells.work / "x=."  # type: ignore[attr-defined]
    folder.mkdir(parents=True)
    (folder / "evil").write_text("#!/bin/sh\nevil\n")
    (folder / "evil").chmod(0o755)
    lines = [f"{before}'x=./evil' ls" for before in ("", "nice ", "command ", "xargs ", "find . -exec ")]
    allowed = [line for line in lines if decide(line, "x=./evil ls", "xargs", "find").yes]
    assert [line for line in allowed if "evil" in shells(line)] == []


def test_what_is_denied_is_found_behind_builtins_that_run_it() -> None:
    lines = ["jobs -x git push", "exec git push", "compgen -C git push", "coproc git push"]
    assert [line for line in lines if decide(line, deny=("git push",)).yes is not False] == []


# Paths, hosts, branches


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("src/*.py", ["src/a.py"], ["src/a/b.py", "a.py", "xsrc/a.py"]),
        ("src/**", ["src/a", "src/a/b"], ["src", "srcx/a", "src/../x"]),
        ("**/*.md", ["a.md", "a/b.md"], ["a.mdx"]),
        ("**", ["a", "a/b", ""], ["../a"]),
        ("?.py", ["a.py"], ["ab.py", "/.py"]),
        ("a+[b]", ["a+[b]"], ["ab"]),
    ],
)
def test_globs(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [name for name in (*yes, *no) if decide(name, pattern, kind="apply").yes] == yes


def test_all_names_must_be_allowed_and_none_denied() -> None:
    assert decide("a.py\nb.py", "*.py", kind="apply").yes
    assert decide("a.py\nb.md", "*.py", kind="apply").yes is None
    assert decide("a.py\nb.md", "**", deny=("*.md",), kind="apply").yes is False
    assert decide("pypi.org", "*.org", kind="network").yes
    assert decide("pypi.org", "**", kind="branch").yes
    assert judge(Approval("network", "?", "a"), [], [Kept(Rule("branch", "**"), "config")]).yes is None


@pytest.mark.parametrize("text", ["", "ls", "command", "command ''x'", "shell ls", "apply "])
def test_what_is_no_rule(text: str) -> None:
    assert isinstance(rule_of(text), str)


def test_a_rule_as_it_is_written() -> None:
    assert rule_of(" command: git  status ") == Rule("command", "git  status")
    assert rule_of("apply src/**") == Rule("apply", "src/**")


# Nothing is smuggled in: real shells run what was allowed

ALLOWED = (
    "git status",
    "ls",
    "exactly env",
    "find .",
    "xargs",
    "exactly x=1",
    "bash ./f",
    "unset",
    "wait",
    "jobs",
    "test",
)
GOOD = (
    "git status && ls",
    "(ls; git status) > f 2>&1",
    "if ls; then git status; fi",
    "for x in a b; do ls $x; done",
    "env x=1 ls",
    "find . -exec ls {} \\;",
    "bash -c 'git status; ls'",
    'ls "a $(git status) b"',
    "ls # comment\ngit status",
    "ls 'a b' \"c d\" e\\ f",
    "{ ls; git status; }",
    "ls | xargs -I{} git status {}",
    "! ls < f || nice git status >> f",
    'ls "a$ $(git status) b"',
    "unset x; ls & wait -n; test -f f || ls",
)
# fmt: off
PIECES = (
    "evil", "evil x", " evil", "git", "status", " ", "  ", ";", "&&", "||", "|", "&", "\n", "(", ")", "{", "}",
    "$(", "`", "\"", "'", "\\", "\\\n", "#", " #", ">", "<", ">>", "> f ", "=", "x=1 ", "$x", "${x}", "${x:-",
    "$((", "))", "env ", "xargs ", "-I", "bash -c ", "eval ", "!", "time ", "then ", "fi", "do ", "done",
    "<<E\n", "\nE\n", "\r", "\t", "$'", "*", ",", "-exec ", "\\; ", "<(", "[", "[[ ", "case ", ";;", "function ",
    "()", "&>", "<<<", "|&", "\u00a0", "\u00e9", "2>&1 ",
    "-p ", "-x ", "-v ", "wait ", "jobs ", "unset ", "test ", "'DIRSTACK[$(evil)0]'", "\"x[\\$(evil)0]\" ",
)
# fmt: on


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """What programs a line runs in bash and sh, by a folder of stand-ins that write down their names."""
    home = tmp_path_factory.mktemp("shells")
    log, bin, work = home / "log", home / "bin", home / "work"
    bin.mkdir()
    for name in ("git", "ls", "evil", "status"):
        (bin / name).write_text(
            f'#!/bin/sh\n[ "$1" = status ] && set -- " status" || set -- ""\necho "{name}$1" >> {log}\n'
        )
        (bin / name).chmod(0o755)
    for name in ("sh", "bash", "env", "xargs", "find", "nice"):
        (bin / name).symlink_to(str(shutil.which(name)))

    def run(line: str) -> set[str]:
        (work / "a").mkdir(parents=True, exist_ok=True)
        log.write_text("")
        for shell in ("bash", "sh"):
            quiet = subprocess.DEVNULL
            where = {"cwd": work, "env": {"PATH": str(bin)}, "start_new_session": True}
            process = subprocess.Popen([bin / shell, "-c", line], stdin=quiet, stdout=quiet, stderr=quiet, **where)
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
        assert {each.name for each in home.iterdir()} == {"log", "bin", "work"}, "it wrote outside"
        return set(log.read_text().splitlines())

    run.work = work  # type: ignore[attr-defined]
    return run


def test_the_stand_ins_see_what_runs(shells: Callable[[str], set[str]]) -> None:
    assert shells("git status; ls | evil $(git x)") == {"git status", "ls", "evil", "git"}


@settings(max_examples=1000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_no_command_is_smuggled_into_what_is_allowed(shells: Callable[[str], set[str]], chance: random.Random) -> None:
    line = chance.choice(GOOD)
    for _ in range(chance.randint(0, 4)):
        at, cut = chance.randint(0, len(line)), chance.choice((0, 0, 0, 1, 3))
        line = line[:at] + chance.choice(PIECES) + line[at + cut :]
    if decide(line, *ALLOWED, root=str(shells.work)).yes:  # type: ignore[attr-defined]
        assert shells(line) <= {"git status", "ls", "ls status"}, line
