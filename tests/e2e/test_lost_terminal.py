"""A terminal that closes in the middle of a turn: a dropped ssh connection, a closed window."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Machine, answer, call
from tests.e2e.test_lost_container import containers_of
from trajectories.journal import read

pytestmark = pytest.mark.slow

PATIENCE = 30.0
"""Seconds to wait for a turn to start; only a failing test waits this long."""
SOON = 8.0
"""Seconds in which a process must release its run; less than the time after which it is killed in any case."""


class ClosableTerminal:
    """A program in its own terminal, started by a shell as over ssh, or directly."""

    def __init__(self, command: list[str], environment: dict[str, str], cwd: Path, shell: bool) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 100))
        self.leader = subprocess.Popen(
            ["sh", "-c", '"$@"; true', "sh", *command] if shell else command,
            cwd=cwd, env=environment | {"TERM": "xterm-256color"}, start_new_session=True,
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.output = b""
        self._shell = shell

    @property
    def pid(self) -> int:
        """The program's process."""
        if not self._shell:
            return self.leader.pid
        return int(Path(f"/proc/{self.leader.pid}/task/{self.leader.pid}/children").read_text().split()[0])

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Read the output until the condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.output[-2000:].decode(errors="replace")
            if select.select([self.master], [], [], 0.05)[0]:
                self.output += os.read(self.master, 65536)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def close(self) -> None:
        """Close the terminal."""
        os.close(self.master)


def ends_within(pid: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def close_terminal_during_turn(
    machine: Machine, cwd: Path, mark: Path, has_started: Callable[[int], object], *flags: str, shell: bool = True
) -> int:
    """Start a session, close its terminal once a command of its turn has created `mark`, and return its process id."""
    script = machine.script(
        answer("Wait.", call("shell", command=f"touch {mark}; sleep 600", timeout=900), n=1),
        answer("Nothing else."),
    )
    with (machine.home / "config.toml").open("a") as config:
        config.write('[permissions]\nallow = ["command sleep", "command touch"]\n')
    terminal = ClosableTerminal(machine.command("--model", script, *flags), machine.environment, cwd, shell)
    try:
        terminal.wait_until(lambda: b"ready" in terminal.output)
        terminal.type("Wait for it\r")
        pid = terminal.pid
        terminal.wait_until(lambda: has_started(pid))
        terminal.close()
        has_ended = ends_within(pid, SOON)
        ends_within(pid, PATIENCE)
        assert has_ended
    finally:
        terminal.leader.kill()
        terminal.leader.wait()
    return pid


def check_resumable(machine: Machine, cwd: Path) -> None:
    """The run exists, its turn is open, and it can be resumed."""
    [run] = machine.runs()
    assert read(run).exit is None
    completed = subprocess.run(
        machine.command("--resume", "--plain"), cwd=cwd, env=machine.environment, input="Continue without waiting.\n",
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (completed.returncode, completed.stdout) == (0, "Nothing else.\n"), completed.stderr


@pytest.mark.parametrize("shell", [True, False], ids=["shell", "direct"])
@pytest.mark.parametrize("screen", ["full", "inline"])
def test_process_ends_and_its_run_can_be_resumed(machine: Machine, calculator: Path, screen: str, shell: bool) -> None:
    mark = machine.home / "started"
    close_terminal_during_turn(machine, calculator, mark, lambda pid: mark.exists(), "--screen", screen, shell=shell)
    check_resumable(machine, calculator)


def container_has_file(pid: int, mark: Path) -> bool:
    """Whether a container of the process has the file."""
    commands = (["docker", "exec", container, "test", "-e", str(mark)] for container in containers_of(pid))
    return any(subprocess.run(each, capture_output=True).returncode == 0 for each in commands)


@pytest.mark.docker
def test_container_is_removed(machine: Machine, calculator: Path) -> None:
    machine.workspace = "docker"
    mark = Path("/workspace/scratch/started")
    pid = close_terminal_during_turn(machine, calculator, mark, lambda pid: container_has_file(pid, mark))
    assert containers_of(pid) == []
    check_resumable(machine, calculator)
