"""Rich as every front end uses it, without what a run needs: some subcommands only look something up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console as RichConsole

LOG_WIDTH = 160
"""Columns of a line where no terminal says how many there are."""


class Rich(RichConsole):
    """Goes on in silence when nobody reads any more: a run does not end because a pipe did."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def console(plain: bool = False, stderr: bool = False) -> Rich:
    """Where results go, or progress; as wide as the terminal, or as a line of a log."""
    colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
    made = Rich(stderr=stderr, highlight=False, markup=False, emoji=False, **colour)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = LOG_WIDTH
    return made


def moves(progress: RichConsole, plain: bool = False) -> bool:
    """Whether lines can be drawn anew there, and the user has not asked for plain ones."""
    plain = plain or progress.is_dumb_terminal or bool(os.environ.get("NO_COLOR"))
    return not plain and progress.file.isatty()


def at_terminal() -> bool:
    """Whether the user can be asked something."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(reason: str, question: str = "Continue?") -> bool:
    """Whether the user says yes to the question that `reason` gives; False where there is no terminal to ask at."""
    if not at_terminal():
        return False
    import typer

    from aci.view import clean

    return typer.confirm(f"{clean(reason)} {question}", err=True)


def cleanly(progress: RichConsole) -> Callable[[str], None]:
    """Prints lines of which strangers wrote a part: nothing in them drives the terminal."""
    from aci.view import clean

    return lambda line: progress.print(clean(line), soft_wrap=True)  # a path stays whole


@contextmanager
def waiting(what: str, plain: bool = False) -> Iterator[Rich]:
    """Something that moves on stderr while this lasts, if that is a terminal; what is printed to it stays."""
    progress = console(plain, stderr=True)
    if not progress.is_terminal or plain or progress.is_dumb_terminal:
        yield progress
        return
    with progress.status(what):
        yield progress
