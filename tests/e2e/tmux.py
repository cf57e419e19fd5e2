"""A real terminal for session tests: tmux, on a separate server."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 60.0
"""Longest wait for anything on the screen: containers may be started meanwhile, on slow machines."""


@dataclass(frozen=True)
class Terminal:
    """A window with a fixed number of columns and rows; `screen` is its visible text."""

    socket: Path

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    @property
    def scrollback(self) -> str:
        """The screen and everything scrolled off its top."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names: `Enter`, `C-s`, `Escape`, `M-Enter`."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def paste(self, text: str) -> None:
        """Paste as a terminal does: bracketed if the program requests it."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, pattern: str, seconds: float = SECONDS) -> str:
        """The screen, once the pattern matches."""
        return self._wait(lambda screen: re.search(pattern, screen), f"never shown: {pattern}", seconds)

    def gone(self, pattern: str, seconds: float = SECONDS) -> str:
        """The screen, once the pattern no longer matches."""
        return self._wait(lambda screen: not re.search(pattern, screen), f"still shown: {pattern}", seconds)

    def _wait(self, condition: Callable[[str], object], message: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            screen = self.screen
            if condition(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{message}\n{self.screen}")

    def _tmux(self, *arguments: str) -> str:
        completed = subprocess.run(
            tmux(self.socket, *arguments), check=True, capture_output=True, text=True, timeout=30
        )
        return completed.stdout


def tmux(socket: Path, *arguments: str) -> list[str]:
    return ["tmux", "-S", str(socket), "-f", "/dev/null", *arguments]


@contextmanager
def terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    columns: int = 100,
    rows: int = 30,
    term: str = "tmux-256color",
) -> Iterator[Terminal]:
    """A window with a shell in which the command is typed; its output stays visible after it ends."""
    shell = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), f"TERM={term}", "PS1=$ ", "sh"]
    size = ("-x", str(columns), "-y", str(rows))
    with TemporaryDirectory(prefix="tmux-") as folder:  # the path of a socket has at most 107 bytes
        socket = Path(folder) / "socket"
        start_command = tmux(socket, "new-session", "-d", *size, "-c", str(cwd), shlex.join(shell))
        subprocess.run(start_command, check=True, timeout=30, capture_output=True)
        window = Terminal(socket)
        try:
            window.wait(r"(?m)^\$")
            window.type(shlex.join(command))
            window.keys("Enter")
            yield window
        finally:
            subprocess.run(tmux(socket, "kill-server"), check=False, capture_output=True, timeout=30)
