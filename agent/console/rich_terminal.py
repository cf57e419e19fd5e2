"""Rich consoles for all front ends, without imports that only runs need.

`heartbeat` prints lines that show that a command is alive while it has nothing else to print.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from rich.console import Console as RichConsole

from agent.console.process_end import OutputFile
from trajectories.characters import drop_invisible

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

SILENCE, SILENCE_ON_TERMINAL = 30.0, 4.0
"""Seconds without output after which a line is printed, in a file that is read later, and on a terminal that somebody
watches."""
TICK = 0.5


@contextmanager
def heartbeat(print_line: Callable[[], object]) -> Iterator[None]:
    """Call `print_line` whenever this process has written nothing for a while.

    A live display writes several times a second, so nothing is added to it.
    """
    over, silence = Event(), SILENCE_ON_TERMINAL if sys.stderr.isatty() else SILENCE

    def watch() -> None:
        last = time.monotonic()
        while not over.wait(min(TICK, silence)):
            now = time.monotonic()
            if now - max(last, OutputFile.last_write) >= silence:
                last = now
                print_line()

    thread = Thread(target=watch, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


LOG_WIDTH = 160
"""The width of a line if the terminal's width is unknown."""
LONGEST_ACTIVITY = 100


class Rich(RichConsole):
    """A console that becomes silent when its reader is gone, so that a closed pipe does not end a run.

    It prints no control or invisible characters of texts, which may be untrusted. Callers still clean these texts,
    since only they know whether the rest of an escape sequence and line breaks belong to them.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=drop_invisible(segment.text))

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def console(plain: bool = False, stderr: bool = False) -> Rich:
    """Return a console for results or progress, as wide as the terminal or a log line."""
    colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
    made = Rich(stderr=stderr, highlight=False, markup=False, emoji=False, **colour)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = LOG_WIDTH
    return made


def can_redraw(progress: RichConsole, plain: bool = False) -> bool:
    """Return whether lines can be redrawn, and the user has not asked for plain output."""
    plain = plain or progress.is_dumb_terminal or bool(os.environ.get("NO_COLOR"))
    return not plain and progress.file.isatty()


def clean_printer(progress: RichConsole) -> Callable[[str], None]:
    """Return a function that prints untrusted lines without control sequences."""
    from aci.observation.untrusted_text import clean_text

    return lambda line: progress.print(clean_text(line), soft_wrap=True)  # do not wrap a path


class Activity:
    """What the user waits for now: `first`, then the last ActivityMessage that `say` got."""

    def __init__(self, first: str) -> None:
        self._text = first

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(self._text)

    def __str__(self) -> str:
        return self._text

    def say(self, progress: RichConsole) -> Callable[[str], None]:
        """Return a function that prints untrusted lines as `clean_printer` does, and notes the activities."""
        from aci.observation.activity_message import ActivityMessage
        from aci.observation.untrusted_text import one_line

        printed = clean_printer(progress)

        def say(line: str) -> None:
            if isinstance(line, ActivityMessage):
                self._text = one_line(line)[:LONGEST_ACTIVITY].rstrip(".")
            printed(line)

        return say


@contextmanager
def waiting(what: str | Activity, plain: bool = False) -> Iterator[Rich]:
    """Show on stderr what the user waits for: an animation on a terminal, else a line now and then. Text printed to the
    console stays on the screen."""
    progress = console(plain, stderr=True)
    started = time.monotonic()
    if progress.is_terminal and not plain and not progress.is_dumb_terminal:
        shown: AbstractContextManager[object] = progress.status(what)
    else:
        shown = heartbeat(lambda: progress.print(f"{what} ({time.monotonic() - started:.0f}s)", soft_wrap=True))
    with shown:
        yield progress


plain_waiting = partial(waiting, plain=True)
