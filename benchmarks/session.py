"""Responsiveness of the terminal session under load: `python -m benchmarks.session`. Exits with 1 if a bound is missed.

Drives the real app in a pseudo-terminal, while a thread in it reports 5,000 steps with 50 MB of text, as a session
would, and measures:

- Echo: the time from a key press to its character on the terminal, at most 50 ms for 95 of 100 keys.
- Memory: the growth of the process from a tenth of the steps to all of them, without the texts themselves, which are in
  the session's record.
- First paint: `swe-agent` compared with a Textual app that has one label, alternating in the same run. The result is
  the median of the ratios of consecutive pairs, so that other load on the machine affects both.
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

ROOT = Path(__file__).resolve().parent.parent
STEPS, CHARACTERS = 5_000, 50_000_000
LONGEST_ECHO = 0.050
"""Seconds, for 95 of 100 keys."""
MOST_MEMORY = 60_000_000
"""Bytes of growth, without the texts."""
SLOWEST_PAINT = 1.5
KEYS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
"""Characters that do not occur in the text of any step."""
FRAME = "─" * 20
"""Part of the frame around the prompt."""
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
        self.output = b""

    def resize(self, columns: int, rows: int) -> None:
        ioctl(self.fd, TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGWINCH)

    def wait_for(self, text: str, seconds: float = 60.0) -> float:
        """Wait until the terminal shows the text; return the time. Exits if it does not appear in time."""
        end, expected = time.monotonic() + seconds, text.encode()
        while expected not in self.output:
            if not select.select([self.fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise SystemExit(f"{text!r} was not written within {seconds:g} s, but {self.output[-500:]!r}.")
            self.output = self.output[-1000:] + os.read(self.fd, 1 << 16)
        return time.monotonic()

    def drain(self, seconds: float) -> None:
        """Read and discard the terminal's output for some seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                os.read(self.fd, 1 << 16)

    def echo(self, key: str) -> float:
        """Seconds from a key press to its character."""
        self.output = b""
        began = time.monotonic()
        os.write(self.fd, key.encode())
        return self.wait_for(key) - began

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def measure_echoes(terminal: Terminal, until: float = 0.0, count: int = 0, pause: float = 0.03) -> list[float]:
    """Type until a time or a number of keys is reached; clear the line regularly. Return the seconds of each key."""
    taken: list[float] = []
    while time.monotonic() < until or len(taken) < count:
        taken.append(terminal.echo(KEYS[len(taken) % len(KEYS)]))
        if len(taken) % 40 == 0:
            os.write(terminal.fd, b"\x03")
        terminal.drain(pause)
    return taken


def check_echo(situation: str, taken: list[float], bound: float = LONGEST_ECHO) -> bool:
    """Print the echo times, and return whether they are within the bound."""
    p95 = statistics.quantiles(taken, n=20)[18]
    print(f"{situation}: {len(taken)} keys, p50 {statistics.median(taken) * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms")
    return p95 <= bound


def measure_load(folder: Path, environment: dict[str, str], steps: int) -> bool:
    """Measure the echo while steps arrive, after all have arrived, and with all expanded; then the memory."""
    log = folder / "log.json"
    command = [sys.executable, "-m", "benchmarks._session_load", str(log), str(steps), str(CHARACTERS // STEPS)]
    terminal = Terminal(command, ROOT, environment)
    while not log.with_suffix(".begun").exists():
        terminal.drain(0.1)
    passed = check_echo("while 50 steps per second arrive", measure_echoes(terminal, count=300))
    while not log.exists():
        terminal.drain(0.2)
    terminal.drain(1.0)
    passed &= check_echo(f"with {steps:,} steps", measure_echoes(terminal, count=150))
    os.write(terminal.fd, b"\x14")  # ctrl-t
    began = time.monotonic()
    terminal.drain(0.05)
    terminal.echo(KEYS[0])
    print(f"expanding all steps: {(time.monotonic() - began) * 1e3:.0f} ms until the next echo")
    passed &= check_echo("with all steps expanded", measure_echoes(terminal, count=150))
    taken = []
    for columns in (60, 200, 40, 120):
        began = time.monotonic()
        terminal.resize(columns, 40)
        terminal.drain(0.02)
        terminal.echo(KEYS[0])
        taken.append(time.monotonic() - began)
    print(f"changing the width: at most {max(taken) * 1e3:.0f} ms until the next echo")
    terminal.kill()
    memory = json.loads(log.read_text())
    grown = memory["end"] - memory["tenth"]
    beyond = grown - memory["text"]
    print(
        f"memory: {memory['tenth'] / 1e6:.0f} MB after a tenth, {memory['end'] / 1e6:.0f} MB at the end; "
        f"{memory['text'] / 1e6:.0f} MB of the growth are texts of the record, {beyond / 1e6:.0f} MB are the screen's"
    )
    return passed and beyond <= MOST_MEMORY


def time_paint(command: list[str], text: str, folder: Path, environment: dict[str, str]) -> float:
    terminal = Terminal(command, folder, environment)
    try:
        return terminal.wait_for(text) - terminal.began
    finally:
        terminal.kill()


def measure_first_paint(folder: Path, environment: dict[str, str], times: int) -> bool:
    ours, hello = [], []
    for _ in range(times + 1):
        ours.append(time_paint([sys.executable, str(ROOT / "swe_agent")], FRAME, folder, environment))
        hello.append(time_paint([sys.executable, "-c", HELLO], "Hello", folder, environment))
    del ours[0], hello[0]  # the first runs also write .pyc files
    ratio = statistics.median(one / other for one, other in zip(ours, hello, strict=True))
    print(
        f"first paint: {statistics.median(ours):.3f} s, hello world {statistics.median(hello):.3f} s: {ratio:.2f} times"
    )
    return ratio <= SLOWEST_PAINT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--times", type=int, default=10, help="number of first paints of each app")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
        environment = {f"SWE_AGENT_{name}": str(folder / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
        passed = measure_first_paint(folder, environment, options.times)
        passed &= measure_load(folder, environment, options.steps)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
