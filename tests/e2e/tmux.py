"""A real terminal to try the session in: tmux, on a server of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 60.0
"""Most that anything on the screen is waited for: containers are started meanwhile, on machines that do much else."""


@dataclass(frozen=True)
class Terminal:
    """One window of so many columns and rows; `screen` is what a person sees in it."""

    socket: Path

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    @property
    def scrollback(self) -> str:
        """The screen and all that has left it at the top."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names: `Enter`, `C-s`, `Escape`, `M-Enter`."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def paste(self, text: str) -> None:
        """As a terminal pastes: in brackets, where the program asks for them."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, pattern: str, seconds: float = SECONDS) -> str:
        """The screen, as soon as it shows what the pattern matches."""
        return self._wait(lambda screen: re.search(pattern, screen), f"never shown: {pattern}", seconds)

    def gone(self, pattern: str, seconds: float = SECONDS) -> str:
        """The screen, as soon as nothing on it matches."""
        return self._wait(lambda screen: not re.search(pattern, screen), f"still shown: {pattern}", seconds)

    def _wait(self, seen, what: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            screen = self.screen
            if seen(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{what}\n{self.screen}")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(tmux(self.socket, *words), check=True, capture_output=True, text=True, timeout=30)
        return done.stdout


def tmux(socket: Path, *words: str) -> list[str]:
    return ["tmux", "-S", str(socket), "-f", "/dev/null", *words]


@contextmanager
def terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    columns: int = 100,
    rows: int = 30,
    term: str = "tmux-256color",
) -> Iterator[Terminal]:
    """A window with a shell in it, in which the command is typed; what it leaves behind can still be seen."""
    shell = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), f"TERM={term}", "PS1=$ ", "sh"]
    size = ("-x", str(columns), "-y", str(rows))
    with TemporaryDirectory(prefix="tmux-") as folder:  # a socket's path may have 107 bytes
        socket = Path(folder) / "socket"
        begin = tmux(socket, "new-session", "-d", *size, "-c", str(cwd), shlex.join(shell))
        subprocess.run(begin, check=True, timeout=30, capture_output=True)
        window = Terminal(socket)
        try:
            window.wait(r"(?m)^\$")
            window.type(shlex.join(command))
            window.keys("Enter")
            yield window
        finally:
            subprocess.run(tmux(socket, "kill-server"), check=False, capture_output=True, timeout=30)
