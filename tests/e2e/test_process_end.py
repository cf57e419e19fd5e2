"""Every ending of the process goes one way: no reader of its output that is gone keeps it, or changes its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import Machine, answer, call
from tests.e2e.provider_user import SOLVE, User
from tests.endpoint import Endpoint
from trajectories.journal import read

PATIENCE = 60
"""Seconds; only a failing test waits so long."""


def unread(machine: Machine, *arguments: str, words: str = "", stderr: bool = False, cwd: Path | None = None) -> int:
    """The exit code of a command whose stdout no one reads, nor its stderr unless it is asked for; that is empty."""
    closed = []
    for _ in range(2):
        there, here = os.pipe()
        os.close(there)
        closed.append(here)
    process = subprocess.Popen(
        machine.command(*arguments), env=machine.environment, cwd=cwd or machine.home, text=True,
        stdin=subprocess.PIPE, stdout=closed[0], stderr=subprocess.PIPE if stderr else closed[1],
    )  # fmt: skip
    for here in closed:
        os.close(here)
    try:
        _, said = process.communicate(words, timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert not said
    return process.returncode


@pytest.fixture
def solving(machine: Machine, calculator: Path, issue_file: str) -> list[str]:
    """`fix` by a script, without a workspace that isolates it."""
    edit = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
    model = machine.script(answer("The fix.", edit, call("submit")))
    return ["fix", "--issue-file", issue_file, "--repo", str(calculator), "--model", model, "--workspace", "local"]


@pytest.mark.parametrize("stderr", [False, True], ids=["nothing is read", "stderr is read"])
@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("strategies",), ("runs",), ("config",)])
def test_what_only_looks_ends_well(machine: Machine, arguments: tuple[str, ...], stderr: bool) -> None:
    assert unread(machine, *arguments, stderr=stderr) == 0


@pytest.mark.parametrize("arguments", [("show", "none"), ("--nonsense",), ("show", "none", "--json")])
def test_error_that_no_one_reads_keeps_its_code(machine: Machine, arguments: tuple[str, ...]) -> None:
    assert unread(machine, *arguments) == 2


@pytest.mark.slow
def test_run_keeps_its_code_and_is_looked_at(machine: Machine, solving: list[str]) -> None:
    code = unread(machine, *solving)
    (run,) = machine.runs()
    ended = read(run).exit
    assert ended is not None
    assert code == ended.code
    for command in (("show",), ("export", "--format", "predictions")):
        assert unread(machine, command[0], run.name, *command[1:]) == 0
    assert unread(machine, "resume", run.name) == machine.run("resume", run.name).returncode


@pytest.mark.slow
def test_run_at_provider_keeps_its_code(user: User) -> None:
    with Endpoint([SOLVE]) as endpoint:
        user.has(endpoint)
        code = unread(user.machine, *user.begin, "--model", "openai/x", "--json")
    (run,) = user.machine.runs()
    ended = read(run).exit
    assert ended is not None
    assert code == ended.code


@pytest.mark.slow
def test_session_does_what_it_was_asked(machine: Machine, calculator: Path) -> None:
    model = machine.script(answer("Nothing to do."))
    asked = ("session", "--plain", "--model", model, "--workspace", "local")
    assert unread(machine, *asked, words="Is it right?\n! touch seen\n", cwd=calculator) == 0
    (run,) = machine.runs()
    assert read(run).exit is not None


END = """
import atexit, sys, threading
from agent.console.process_end import exit_process, prepare_streams
prepare_streams()
atexit.register(lambda: print("at exit"))
threading.Thread(target=threading.Event().wait).start()
print("said")
exit_process(3)
"""


def test_no_thread_holds_process_and_nothing_said_is_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", END], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "said\nat exit\n", "")


@pytest.mark.parametrize(
    ("end", "expected"), [("'No.'", (1, "No.\n")), ("7", (7, "")), ("None", (0, "")), ("", (0, ""))]
)
def test_system_exit_keeps_its_code_and_message(end: str, expected: tuple[int, str]) -> None:
    script = f"import sys, swe_agent\nswe_agent._run = lambda _: sys.exit({end})\nswe_agent.main()"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stderr) == expected


INTERRUPTED = """
import signal
from aci.docker import docker_daemon
from agent.console.process_end import exit_process, prepare_streams
prepare_streams()
docker_daemon.all_discarded = lambda seconds: signal.raise_signal(signal.SIGINT)
print("said")
exit_process(3)
"""
IMPATIENT = """
from concurrent.futures import Future
from aci.docker import docker_daemon
from agent.console.process_end import exit_process, prepare_streams
prepare_streams()
docker_daemon._pending_tasks.add(Future())
print("said")
exit_process(3, patience=0)
"""


@pytest.mark.parametrize("script", [INTERRUPTED, IMPATIENT], ids=["a second Ctrl-C", "no patience"])
def test_nothing_said_is_lost_where_leftovers_are_not_waited_for(script: str) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=buffered, capture_output=True, text=True, timeout=20, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "said\n", "")


@pytest.mark.slow
def test_full_pipe_ends_with_its_reader(machine: Machine) -> None:
    there, here = os.pipe()
    os.set_blocking(here, False)
    with suppress(BlockingIOError):
        while os.write(here, b"x" * 4096):
            pass
    os.set_blocking(here, True)
    process = subprocess.Popen(
        machine.command("strategies"), env=machine.environment, cwd=machine.home,
        stdin=subprocess.DEVNULL, stdout=here, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(here)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)  # it waits for a reader that is there
    os.close(there)
    assert (process.wait(PATIENCE), process.communicate()[1]) == (0, b"")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_closed_descriptors(machine: Machine, closed: str) -> None:
    ran = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *machine.command("runs")], env=machine.environment, cwd=machine.home,
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, b"")
