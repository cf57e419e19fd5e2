"""Allowed lines in real shells: no other command runs, and nothing is written outside the workspace."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.permissions.approvals import Approval
from agent.permissions.decisions import Decision, judge
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule


def decide(line: str, *allow: str, root: str = "/w") -> Decision:
    allowed_rules = [StoredRule(Rule("command", pattern), "session") for pattern in allow]
    return judge(Approval("command", "?", line, root=root), [], allowed_rules)


# Builtins of a shell

CODE = ("DIRSTACK[$(evil)0]", "GROUPS[`evil`0]", "x[$(evil)0]", "x[$(evil)0]=1", "x=([$(evil)0]=1)", "$(evil)", "evil")
OPTIONS = ("", "-", "-a", "-d", "-e", "-i", "-l", "-n", "-p", "-s", "-v", "-x", "-C", "-W", "-np", "-n -p", "-aix")
VARIABLES = ("OPTIND", "RANDOM", "HISTCMD", "PS4", "BASH_ENV", "x")


@pytest.mark.slow
def test_allowed_builtins_run_no_hidden_command(shells: Callable[[str], set[str]]) -> None:
    """Run each builtin of bash with each option and each code-like argument, if a rule for the builtin allows it."""
    names = subprocess.run(["bash", "-c", "compgen -b"], capture_output=True, text=True, check=True).stdout.split()
    programs_by_builtin = {}
    for name in names:
        lines = [f"{name} {option} '{code}'" for option in OPTIONS for code in CODE]
        lines += [f"ls & {name} {option} '{code}' %1" for option in ("-x", "-p", "-n -p") for code in CODE]
        lines += [f"for x in {option} '{code}'; do {name} $x evil; done" for option in ("", "-x") for code in CODE]
        lines += [f"{wrapper} {name} '{code}'" for wrapper in ("command", "builtin", "time") for code in CODE]
        if allowed := [line for line in lines if decide(line, name, "ls").yes]:
            programs_by_builtin[name] = shells("\n".join(allowed))
    assert {name: programs for name, programs in programs_by_builtin.items() if "evil" in programs} == {}
    assert {"echo", "printf", "test", "true"} <= programs_by_builtin.keys()


def test_rules_cannot_set_shell_variables(shells: Callable[[str], set[str]]) -> None:
    (shells.work / "f").write_text("ls\n")  # type: ignore[attr-defined]
    (shells.work / "ls").write_text("#!/bin/sh\nevil\n")  # type: ignore[attr-defined]
    (shells.work / "ls").chmod(0o755)  # type: ignore[attr-defined]
    lines = ["unset PATH; ls", "command unset PATH; ls", "PATH=.; ls", "PATH=. ls", "PATH=. :; ls", "true {PATH}>f; ls"]
    lines += [f"printf '0{conversion}' PATH; ls" for conversion in ("%n", "%(%s)T%n", "%*n", "%1$n", "%ln")]
    allow = ["set", "ls", "bash", "unset", "export", "PATH=.", "printf", "true", "x=1 ls"]
    for name in VARIABLES:
        for code in ("$(evil)", "a[$(evil)]", "evil"):
            setting = shlex.join([f"{name}={code}"])
            lines += [
                f"{setting}; set -x; ls",
                f"export {setting}; set -x; ls",
                f"command export {setting}; set -x; ls",
            ]
            lines += [f"{setting} bash ./f", f"env {setting} bash ./f", f"export {setting}; bash -c ls; bash ./f"]
            allow += [setting, f"{setting} bash"]
    root = str(shells.work)  # type: ignore[attr-defined]
    allowed = [line for line in (*lines, "x=1 ls") if decide(line, *allow, root=root).yes]
    assert [line for line in allowed if "evil" in shells(line)] == []
    assert {"x=1 ls", "x=evil bash ./f"} <= {*allowed}


EXPORTS = (
    "GIT_EXTERNAL_DIFF=x",
    "GIT_DIR=x",
    "GIT_CONFIG_GLOBAL=x",
    "HOME=.",
    "LD_PRELOAD=./x",
    "PYTEST_ADDOPTS=x",
    "PWD=/",
)


@pytest.mark.parametrize("assignment", EXPORTS)
def test_variables_need_rule_that_names_them(assignment: str) -> None:
    allow = ("export", "unset", "git diff", "pytest", "env")
    name = assignment.partition("=")[0]
    lines = [
        f"{before}{line}"
        for before in (f"export {assignment}; ", f"unset {name}; ", f"{assignment} ", f"env {assignment} ")
        for line in ("git diff", "pytest")
    ]
    assert [line for line in lines if decide(line, *allow).yes is not None] == []
    assert decide(f"{assignment} pytest -x", f"{assignment} pytest").yes


@pytest.mark.parametrize("line", ["sort -T -- -o /x f", "rg -e -- --pre ./x y", "fd -e -- -x ls", "find -D -- -delete"])
def test_value_like_end_of_options_hides_no_option(line: str) -> None:
    assert decide(line, "sort", "rg", "fd", "find").yes is None


def test_rule_with_only_variables_covers_nothing() -> None:
    assert decide("X=1 ls", "X=1").yes is None


@pytest.mark.parametrize("line", ["echo a", "printf '%s\\n' a", "test -f x && ls", "true && pwd"])
def test_plain_builtins_may_be_allowed(line: str) -> None:
    assert decide(line, *(rule.pattern for rule in decide(line).always)).yes


@pytest.mark.parametrize(
    "line", ["unset x", "ls & wait", "wait 12", "export X=1; ls", "set -e; ls", "exit 1", "read x"]
)
def test_other_builtins_need_approval_each_time(line: str) -> None:
    decision = decide(line, "unset", "ls", "wait", "export", "set", "exit", "read")
    assert (decision.yes, decision.always) == (None, ())


def test_program_named_like_assignment_is_not_allowed(shells: Callable[[str], set[str]]) -> None:
    folder = shells.work / "x=."  # type: ignore[attr-defined]
    folder.mkdir(parents=True)
    (folder / "evil").write_text("#!/bin/sh\nevil\n")
    (folder / "evil").chmod(0o755)
    lines = [f"{before}'x=./evil' ls" for before in ("", "nice ", "command ", "xargs ", "find . -exec ")]
    allowed = [line for line in lines if decide(line, "x=./evil ls", "xargs", "find").yes]
    assert [line for line in allowed if "evil" in shells(line)] == []


# Injection: real shells run lines that were allowed

ALLOWED = ("git status", "ls", "exactly env", "find .", "xargs", "x=1 ls", "bash ./f", "unset", "wait", "jobs", "test")
ALLOWED += ("export", "printf", "echo", "time", "timeout", "nice", "x=1", "exactly x=1")
ALLOWED_LINES = (
    "git status && ls",
    "ls > f 2>&1; git status >> f",
    "ls || git status\nls",
    "x=1 ls",
    "cd a && ls > f",
    "find . -name f",
    "ls 'a b' \"c d\" e",
    "ls | git status | ls",
    "timeout 9 git status",
    "printf '%s\\n' a; test -f f || ls",
    'echo "a\\|b" >&2',
    "bash ./f",
)
# fmt: off
PIECES = (
    "evil", "evil x", " evil", "git", "status", " ", "  ", ";", "&&", "||", "|", "&", "\n", "(", ")", "{", "}",
    "$(", "`", "\"", "'", "\\", "\\\n", "#", " #", ">", "<", ">>", "> f ", "=", "x=1 ", "$x", "${x}", "${x:-",
    "$((", "))", "env ", "xargs ", "-I", "bash -c ", "eval ", "!", "time ", "then ", "fi", "do ", "done",
    "<<E\n", "\nE\n", "\r", "\t", "$'", "*", ",", "-exec ", "\\; ", "<(", "[", "[[ ", "case ", ";;", "function ",
    "()", "&>", "<<<", "|&", "\u00a0", "\u00e9", "2>&1 ",
    "-p ", "-x ", "-v ", "wait ", "jobs ", "unset ", "test ",
    "cd a", "cd a; ", "{x}", "{PATH}", "%n", " PATH", "> ../../f ", "-c ", "--", "\u00b2",
    "export ", "printf ", "timeout 9 ", ">&", "~", "link", "> link ", "'DIRSTACK[$(evil)0]'", "\"x[\\$(evil)0]\" ",
)
# fmt: on


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """Run a line in bash and sh with fake programs that log their names; return the programs that ran."""
    home = tmp_path_factory.mktemp("shells")
    log, bin, work = home / "log", home / "bin", home / "work"
    bin.mkdir()
    work.mkdir()
    for name in ("git", "ls", "evil", "status"):
        (bin / name).write_text(
            f'#!/bin/sh\n[ "$1" = status ] && set -- " status" || set -- ""\necho "{name}$1" >> {log}\n'
        )
        (bin / name).chmod(0o755)
    for name in ("sh", "bash", "env", "xargs", "find", "nice"):
        (bin / name).symlink_to(str(shutil.which(name)))

    def run(line: str) -> set[str]:
        (work / "a").mkdir(parents=True, exist_ok=True)
        if not (work / "link").is_symlink():
            (work / "link").unlink(missing_ok=True)
            (work / "link").symlink_to("../outside")
        log.write_text("")
        for shell in ("bash", "sh"):
            quiet = subprocess.DEVNULL
            options = {"cwd": work, "env": {"PATH": str(bin)}, "start_new_session": True}
            process = subprocess.Popen([bin / shell, "-c", line], stdin=quiet, stdout=quiet, stderr=quiet, **options)
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
        assert {path.name for path in home.iterdir()} == {"log", "bin", "work"}, "the line wrote outside"
        return set(log.read_text().splitlines())

    run.work = work  # type: ignore[attr-defined]
    return run


def test_fake_programs_log_calls(shells: Callable[[str], set[str]]) -> None:
    assert shells("git status; ls | evil $(git x)") == {"git status", "ls", "evil", "git"}


@pytest.mark.slow
@settings(max_examples=1000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_no_command_is_injected_into_allowed_line(shells: Callable[[str], set[str]], chance: random.Random) -> None:
    line = chance.choice(ALLOWED_LINES)
    for _ in range(chance.randint(0, 4)):
        at, cut = chance.randint(0, len(line)), chance.choice((0, 0, 0, 1, 3))
        line = line[:at] + chance.choice(PIECES) + line[at + cut :]
    if decide(line, *ALLOWED, root=str(shells.work)).yes:  # type: ignore[attr-defined]
        assert shells(line) <= {"git status", "ls", "ls status"}, line
