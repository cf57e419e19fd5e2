"""Long output a page at a time, where somebody looks at it: as git does, through $PAGER, which is `less` if not set."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from rich.console import COLOR_SYSTEMS
from rich.style import Style

from agent.process_end import has_reader
from agent.terminal import LOG_WIDTH, Rich

OF_PAGER = {"LESS": "FRX", "LV": "-c"}
"""What git tells them too: to leave off where all fits a screen, to show colours, to leave the screen as it is."""


class Lines:
    """Where lines of text go, one at a time and as long as they are. They must be clean: only styles drive a terminal.

    Rich would measure and break each of them, which takes as long as it takes to make a run.
    """

    def __init__(self, plain: bool = False) -> None:
        colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
        self.rich = Rich(highlight=False, emoji=False, **colour)
        """For what has columns; writes to the same place."""
        self.is_terminal = sys.stdout.isatty()
        if not self.is_terminal and not os.environ.get("COLUMNS"):
            self.rich.width = LOG_WIDTH
        self.width = self.rich.width
        self.file: IO[str] = sys.stdout
        self._styles: dict[str, tuple[str, str]] = {"": ("", "")}

    def line(self, text: str = "", style: str = "") -> None:
        """Raises BrokenPipeError where nobody reads any more."""
        before, after = self._marks(style)
        if before:
            text = text.replace("\n", f"{after}\n{before}")
        self.file.write(f"{before}{text}{after}\n")
        if not has_reader(self.file):
            raise BrokenPipeError

    def _marks(self, style: str) -> tuple[str, str]:
        if (found := self._styles.get(style)) is None:
            before, _, after = self._shown("\0", style).partition("\0")
            found = self._styles[style] = before, after
        return found

    def _shown(self, text: str, style: str) -> str:
        colours = None if self.rich.no_color else COLOR_SYSTEMS.get(self.rich.color_system or "")
        return Style.parse(style).render(text, color_system=colours)


@contextmanager
def paged(plain: bool = False, pages: bool = True) -> Iterator[Lines]:
    """Lines that go through a pager if they go to a terminal; who leaves it early, or a pipe, wants no more."""
    lines = Lines(plain)
    pager = _pager() if pages and lines.is_terminal and not lines.rich.is_dumb_terminal else None
    if pager is not None and pager.stdin is not None:
        lines.file = lines.rich.file = pager.stdin
    try:
        yield lines
        lines.file.flush()
    except BrokenPipeError:
        if pager is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        if pager is None:
            raise
    finally:
        if pager is not None:
            _wait(pager)


def _pager() -> subprocess.Popen[str] | None:
    """The user's own; None where there is none, or it is `cat`."""
    try:
        words = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        return None
    if not words or words == ["cat"] or shutil.which(words[0]) is None:
        return None
    sys.stdout.flush()
    return subprocess.Popen(words, stdin=subprocess.PIPE, env=OF_PAGER | os.environ, text=True, encoding="utf-8")


def _wait(pager: subprocess.Popen[str]) -> None:
    """Until whoever reads leaves it; Ctrl-C is the pager's then."""
    with suppress(BrokenPipeError):
        if pager.stdin is not None:
            pager.stdin.close()
    while True:
        with suppress(KeyboardInterrupt):
            pager.wait()
            return
