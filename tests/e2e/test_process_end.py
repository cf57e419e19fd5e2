"""The end of the process: a reader that is gone neither delays it nor changes its exit code."""

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
"""Seconds; only a failing test waits this long."""


def exit_code_without_reader(
    machine: Machine, *arguments: str, input: str = "", stderr: bool = False, cwd: Path | None = None
) -> int:
    """The exit code of a command whose stdout has no reader, nor its stderr unless `stderr`, which must be empty."""
    closed = []
    for _ in range(2):
        read_end, write_end = os.pipe()
        os.close(read_end)
        closed.append(write_end)
    process = subprocess.Popen(
        machine.command(*arguments), env=machine.environment, cwd=cwd or machine.home, text=True,
        stdin=subprocess.PIPE, stdout=closed[0], stderr=subprocess.PIPE if stderr else closed[1],
    )  # fmt: skip
    for write_end in closed:
        os.close(write_end)
    try:
        _, output = process.communicate(input, timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert not output
    return process.returncode


@pytest.fixture
def solving_arguments(machine: Machine, calculator: Path, issue_file: str) -> list[str]:
    """Arguments of a `fix` with a scripted model and without an isolated workspace."""
    edit = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
    model = machine.script(answer("The fix.", edit, call("submit"), n=1), answer("No test.", call("submit")))
    return ["fix", "--issue-file", issue_file, "--repo", str(calculator), "--model", model, "--workspace", "local"]


@pytest.mark.slow
@pytest.mark.parametrize("stderr", [False, True], ids=["nothing is read", "stderr is read"])
@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("strategies",), ("runs",), ("config",)])
def test_read_only_command_without_reader_succeeds(machine: Machine, arguments: tuple[str, ...], stderr: bool) -> None:
    assert exit_code_without_reader(machine, *arguments, stderr=stderr) == 0


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("show", "none"), ("--nonsense",), ("show", "none", "--json")])
def test_error_without_reader_keeps_exit_code(machine: Machine, arguments: tuple[str, ...]) -> None:
    assert exit_code_without_reader(machine, *arguments) == 2


@pytest.mark.slow
def test_run_without_reader_keeps_exit_code(machine: Machine, solving_arguments: list[str]) -> None:
    code = exit_code_without_reader(machine, *solving_arguments)
    (run,) = machine.runs()
    ended = read(run).exit
    assert ended is not None
    assert code == ended.code
    for command in (("show",), ("export", "--format", "predictions")):
        assert exit_code_without_reader(machine, command[0], run.name, *command[1:]) == 0
    assert exit_code_without_reader(machine, "resume", run.name) == machine.run("resume", run.name).returncode


@pytest.mark.slow
def test_run_with_provider_and_without_reader_keeps_exit_code(user: User) -> None:
    with Endpoint([SOLVE]) as endpoint:
        user.add_model(endpoint)
        code = exit_code_without_reader(user.machine, *user.fix_command, "--model", "openai/x", "--json")
    (run,) = user.machine.runs()
    ended = read(run).exit
    assert ended is not None
    assert code == ended.code


@pytest.mark.slow
def test_session_without_reader_completes_its_requests(machine: Machine, calculator: Path) -> None:
    model = machine.script(answer("Nothing to do."))
    arguments = ("session", "--plain", "--model", model, "--workspace", "local")
    assert exit_code_without_reader(machine, *arguments, input="Is it right?\n! touch seen\n", cwd=calculator) == 0
    (run,) = machine.runs()
    assert read(run).exit is not None


END_SCRIPT = """
import atexit, sys, threading
from agent.console.process_end import exit_process, prepare_streams
prepare_streams()
atexit.register(lambda: print("at exit"))
threading.Thread(target=threading.Event().wait).start()
print("said")
exit_process(3)
"""


def test_exit_with_running_thread_loses_no_output() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", END_SCRIPT], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (3, "said\nat exit\n", "")


@pytest.mark.parametrize(
    ("end", "expected"), [("'No.'", (1, "No.\n")), ("7", (7, "")), ("None", (0, "")), ("", (0, ""))]
)
def test_system_exit_keeps_its_code_and_message(end: str, expected: tuple[int, str]) -> None:
    script = f"import sys\nfrom swe_agent import entry_point as e\ne._run = lambda _: sys.exit({end})\ne.main()"
    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (completed.returncode, completed.stderr) == expected


INTERRUPTED_SCRIPT = """
import signal
from aci.docker import docker_daemon
from agent.console.process_end import exit_process, prepare_streams
prepare_streams()
docker_daemon.all_discarded = lambda seconds: signal.raise_signal(signal.SIGINT)
print("said")
exit_process(3)
"""
IMPATIENT_SCRIPT = """
from concurrent.futures import Future
from aci.docker import docker_daemon
from agent.console.process_end import exit_process, prepare_streams
prepare_streams()
docker_daemon._pending_tasks.add(Future())
print("said")
exit_process(3, patience=0)
"""


@pytest.mark.parametrize("script", [INTERRUPTED_SCRIPT, IMPATIENT_SCRIPT], ids=["a second Ctrl-C", "no patience"])
def test_exit_with_pending_cleanup_loses_no_output(script: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    completed = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (3, "said\n", "")


@pytest.mark.slow
def test_process_with_full_pipe_ends_with_its_reader(machine: Machine) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with suppress(BlockingIOError):
        while os.write(write_end, b"x" * 4096):
            pass
    os.set_blocking(write_end, True)
    process = subprocess.Popen(
        machine.command("strategies"), env=machine.environment, cwd=machine.home,
        stdin=subprocess.DEVNULL, stdout=write_end, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(write_end)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)  # the process waits while there is a reader
    os.close(read_end)
    assert (process.wait(PATIENCE), process.communicate()[1]) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_closed_descriptors_do_not_matter(machine: Machine, closed: str) -> None:
    completed = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *machine.command("runs")], env=machine.environment, cwd=machine.home,
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (completed.returncode, completed.stderr) == (0, b"")
