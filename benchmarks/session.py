"""The terminal session under load: `python -m benchmarks.session`. Exits with 1 where a bound is missed.

Drives the real app in a pseudo-terminal. A thread in it tells of 5,000 steps with 50 MB of text, as a session would.
Meanwhile keys are typed; the time from a key to its character on the terminal is what counts, at most 50 ms for 95 of
100. Memory: what the process has grown by from a tenth of the steps to all of them, beyond the texts themselves, which
the session's record holds. First paint: `swe-agent` against a Textual app of one label, by turns in the same run; the
median of the ratios of each two that came after each other, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

HOUSE = Path(__file__).resolve().parent.parent
STEPS, CHARACTERS = 5_000, 50_000_000
LONGEST_ECHO = 0.050
"""Seconds, for 95 of 100 keys."""
MOST_MEMORY = 60_000_000
"""Bytes beyond the texts."""
SLOWEST_PAINT = 1.5
KEYS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
"""No text of a step has these."""
FRAME = "─" * 20
"""Around the prompt."""
HELLO = (
    "from textual.app import App\nfrom textual.widgets import Label\n"
    "class Hello(App):\n    def compose(self): yield Label('Hello')\nHello().run()"
)


class Terminal:
    """A program in a pseudo-terminal of 120 columns and 40 rows."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.began = time.monotonic()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.environ.update(environment, TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.execv(command[0], command)
        self.resize(120, 40)
        self.seen = b""

    def resize(self, columns: int, rows: int) -> None:
        ioctl(self.fd, TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGWINCH)

    def until(self, text: str, seconds: float = 60.0) -> float:
        """The time at which the text is written."""
        end, wanted = time.monotonic() + seconds, text.encode()
        while wanted not in self.seen:
            if not select.select([self.fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise SystemExit(f"{text!r} was not written within {seconds:g} s, but {self.seen[-500:]!r}.")
            self.seen = self.seen[-1000:] + os.read(self.fd, 1 << 16)
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Read what is written meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                os.read(self.fd, 1 << 16)

    def echo(self, key: str) -> float:
        """Seconds from a key to its character."""
        self.seen = b""
        began = time.monotonic()
        os.write(self.fd, key.encode())
        return self.until(key) - began

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def echoes(terminal: Terminal, until: float = 0.0, count: int = 0, pause: float = 0.03) -> list[float]:
    """Type until that time, or so many keys; the line is emptied now and then."""
    taken: list[float] = []
    while time.monotonic() < until or len(taken) < count:
        taken.append(terminal.echo(KEYS[len(taken) % len(KEYS)]))
        if len(taken) % 40 == 0:
            os.write(terminal.fd, b"\x03")
        terminal.rest(pause)
    return taken


def told(what: str, taken: list[float], bound: float = LONGEST_ECHO) -> bool:
    p95 = statistics.quantiles(taken, n=20)[18]
    print(f"{what}: {len(taken)} keys, p50 {statistics.median(taken) * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms")
    return p95 <= bound


def load(folder: Path, environment: dict[str, str], steps: int) -> bool:
    """Keys while steps come, when all are there, and with each of them opened; then memory."""
    log = folder / "log.json"
    command = [sys.executable, "-m", "benchmarks._session_load", str(log), str(steps), str(CHARACTERS // STEPS)]
    terminal = Terminal(command, HOUSE, environment)
    while not log.with_suffix(".begun").exists():
        terminal.rest(0.1)
    fine = told("while 50 steps a second come", echoes(terminal, count=300))
    while not log.exists():
        terminal.rest(0.2)
    terminal.rest(1.0)
    fine &= told(f"with {steps:,} steps", echoes(terminal, count=150))
    os.write(terminal.fd, b"\x14")  # ctrl-t
    began = time.monotonic()
    terminal.rest(0.05)
    terminal.echo(KEYS[0])
    print(f"all steps opened: {(time.monotonic() - began) * 1e3:.0f} ms until keys are heard")
    fine &= told("with all of them open", echoes(terminal, count=150))
    taken = []
    for columns in (60, 200, 40, 120):
        began = time.monotonic()
        terminal.resize(columns, 40)
        terminal.rest(0.02)
        terminal.echo(KEYS[0])
        taken.append(time.monotonic() - began)
    print(f"a new width: {max(taken) * 1e3:.0f} ms at most until keys are heard")
    terminal.end()
    memory = json.loads(log.read_text())
    grown = memory["end"] - memory["tenth"]
    beyond = grown - memory["text"]
    print(
        f"memory: {memory['tenth'] / 1e6:.0f} MB at a tenth, {memory['end'] / 1e6:.0f} MB at the end; "
        f"{memory['text'] / 1e6:.0f} MB of it are texts of the record, {beyond / 1e6:.0f} MB the screen's"
    )
    return fine and beyond <= MOST_MEMORY


def paint(command: list[str], text: str, folder: Path, environment: dict[str, str]) -> float:
    terminal = Terminal(command, folder, environment)
    try:
        return terminal.until(text) - terminal.began
    finally:
        terminal.end()


def first_paint(folder: Path, environment: dict[str, str], times: int) -> bool:
    ours, hello = [], []
    for _ in range(times + 1):
        ours.append(paint([sys.executable, str(HOUSE / "swe_agent.py")], FRAME, folder, environment))
        hello.append(paint([sys.executable, "-c", HELLO], "Hello", folder, environment))
    del ours[0], hello[0]  # these wrote .pyc files
    ratio = statistics.median(mine / its for mine, its in zip(ours, hello, strict=True))
    print(
        f"first paint: {statistics.median(ours):.3f} s, hello world {statistics.median(hello):.3f} s: {ratio:.2f} times"
    )
    return ratio <= SLOWEST_PAINT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--times", type=int, default=10, help="first paints of each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
        environment = {f"SWE_AGENT_{what}": str(folder / what.lower()) for what in ("STATE", "CACHE", "CONFIG")}
        fine = first_paint(folder, environment, given.times)
        fine &= load(folder, environment, given.steps)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
