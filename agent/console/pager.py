"""A pager for long output on a terminal: $PAGER as in git, `less` by default."""

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

from agent.console.process_end import has_reader
from agent.console.rich_terminal import LOG_WIDTH, Rich
from trajectories.characters import drop_invisible

PAGER_ENVIRONMENT = {"LESS": "FRX", "LV": "-c"}
"""Pager settings, the same as git's: exit if the output fits on one screen, show colours, and leave the screen
unchanged."""


class Lines:
    """A writer for lines of text of any length, without control and invisible characters. Colours are set with `style`.

    Rich is not used for the text, because it would measure and wrap each line, which is slow.
    """

    def __init__(self, plain: bool = False) -> None:
        colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
        self.rich = Rich(highlight=False, emoji=False, **colour)
        """A Rich console for tables, which writes to the same output."""
        self.is_terminal = sys.stdout.isatty()
        if not self.is_terminal and not os.environ.get("COLUMNS"):
            self.rich.width = LOG_WIDTH
        self.width = self.rich.width
        self.file: IO[str] = sys.stdout
        self._styles: dict[str, tuple[str, str]] = {"": ("", "")}

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line. Raises BrokenPipeError if no one reads the output any more."""
        text, (before, after) = drop_invisible(text), self._style_codes(style)
        if before:
            text = text.replace("\n", f"{after}\n{before}")
        self.file.write(f"{before}{text}{after}\n")
        if not has_reader(self.file):
            raise BrokenPipeError

    def _style_codes(self, style: str) -> tuple[str, str]:
        if (found := self._styles.get(style)) is None:
            before, _, after = self._shown("\0", style).partition("\0")
            found = self._styles[style] = before, after
        return found

    def _shown(self, text: str, style: str) -> str:
        colours = None if self.rich.no_color else COLOR_SYSTEMS.get(self.rich.color_system or "")
        return Style.parse(style).render(text, color_system=colours)


@contextmanager
def page_output(plain: bool = False, pages: bool = True) -> Iterator[Lines]:
    """Open an output that goes through a pager on a terminal. The context exits without an error if the pager or the
    reading process exits."""
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
    """Start the user's pager; None if there is none or it is `cat`."""
    try:
        words = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        return None
    if not words or words == ["cat"] or shutil.which(words[0]) is None:
        return None
    sys.stdout.flush()
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, env=PAGER_ENVIRONMENT | os.environ, text=True, encoding="utf-8"
    )


def _wait(pager: subprocess.Popen[str]) -> None:
    """Wait until the user leaves the pager, which handles Ctrl-C meanwhile."""
    with suppress(BrokenPipeError):
        if pager.stdin is not None:
            pager.stdin.close()
    while True:
        with suppress(KeyboardInterrupt):
            pager.wait()
            return
