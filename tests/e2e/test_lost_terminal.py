"""A terminal that goes away in the middle of a turn: an ssh connection that drops, a window that is closed."""

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
"""Seconds until a turn is under way; only a failing test waits so long."""
SOON = 8.0
"""Seconds in which a process is to let go of its run: fewer than those after which it is ended whatever it does."""


class Lost:
    """A program in a terminal of its own, begun by a shell as over ssh, or for itself."""

    def __init__(self, command: list[str], environment: dict[str, str], cwd: Path, shell: bool) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 100))
        self.leader = subprocess.Popen(
            ["sh", "-c", '"$@"; true', "sh", *command] if shell else command,
            cwd=cwd, env=environment | {"TERM": "xterm-256color"}, start_new_session=True,
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.shown = b""
        self._shell = shell

    @property
    def pid(self) -> int:
        """The program's."""
        if not self._shell:
            return self.leader.pid
        return int(Path(f"/proc/{self.leader.pid}/task/{self.leader.pid}/children").read_text().split()[0])

    def until(self, seen: Callable[[], object]) -> None:
        """Read what it draws until then."""
        end = time.monotonic() + PATIENCE
        while not seen():
            assert time.monotonic() < end, self.shown[-2000:].decode(errors="replace")
            if select.select([self.master], [], [], 0.05)[0]:
                self.shown += os.read(self.master, 65536)

    def type(self, words: str) -> None:
        os.write(self.master, words.encode())

    def lose(self) -> None:
        """The terminal goes."""
        os.close(self.master)


def ended(pid: int, seconds: float) -> bool:
    """Whether a process ends by then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def lost(
    machine: Machine, cwd: Path, mark: Path, begun: Callable[[int], object], *flags: str, shell: bool = True
) -> int:
    """The process of a session whose terminal went once a command of its turn had begun, and made its mark."""
    script = machine.script(
        answer("Wait.", call("shell", command=f"touch {mark}; sleep 600", timeout=900), n=1),
        answer("Nothing else."),
    )
    with (machine.home / "config.toml").open("a") as config:
        config.write('[permissions]\nallow = ["command sleep", "command touch"]\n')
    terminal = Lost(machine.command("--model", script, *flags), machine.environment, cwd, shell)
    try:
        terminal.until(lambda: b"ready" in terminal.shown)
        terminal.type("Wait for it\r")
        pid = terminal.pid
        terminal.until(lambda: begun(pid))
        terminal.lose()
        gone = ended(pid, SOON)
        ended(pid, PATIENCE)
        assert gone
    finally:
        terminal.leader.kill()
        terminal.leader.wait()
    return pid


def resumed(machine: Machine, cwd: Path) -> None:
    """The run is there, its turn open, and goes on."""
    [run] = machine.runs()
    assert read(run).exit is None
    done = subprocess.run(
        machine.command("--resume", "--plain"), cwd=cwd, env=machine.environment, input="Go on, without waiting.\n",
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "Nothing else.\n"), done.stderr


@pytest.mark.parametrize("shell", [True, False], ids=["shell", "alone"])
@pytest.mark.parametrize("screen", ["full", "inline"])
def test_process_ends_and_its_run_goes_on(machine: Machine, calculator: Path, screen: str, shell: bool) -> None:
    mark = machine.home / "begun"
    lost(machine, calculator, mark, lambda pid: mark.exists(), "--screen", screen, shell=shell)
    resumed(machine, calculator)


def marked(pid: int, mark: Path) -> bool:
    """Whether a container of the process has the file."""
    look = (["docker", "exec", container, "test", "-e", str(mark)] for container in containers_of(pid))
    return any(subprocess.run(each, capture_output=True).returncode == 0 for each in look)


@pytest.mark.docker
def test_no_container_is_left(machine: Machine, calculator: Path) -> None:
    machine.workspace = "docker"
    mark = Path("/workspace/scratch/begun")
    pid = lost(machine, calculator, mark, lambda pid: marked(pid, mark))
    assert containers_of(pid) == []
    resumed(machine, calculator)
