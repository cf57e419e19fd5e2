"""Opens a session: in the terminal where there is one, else as lines. `swe-agent` alone comes here straight away: the
libraries of the command line take as long to load as a screen takes to paint.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.session.preferences import Preferences, load_preferences
from trajectories.errors import ConfigError, SweAgentError

if TYPE_CHECKING:
    from agent.session.session import Start

Prepare = Callable[[tuple[str, ...]], "Start"]
"""What a session begins with; it is given the trouble to tell of first."""


def run_bare() -> int:
    """A session in the present folder with nothing given; its exit code. What fails is told as `agent/cli.py` does."""
    try:
        code = open_session(_nothing_given)
        sys.stdout.flush()
        return code
    except (SweAgentError, OSError) as error:
        from agent.cli import failed

        return failed([], error)


def _nothing_given(trouble: tuple[str, ...]) -> Start:
    from agent.session.start import start

    return start(".", None, "", "build", {}, None, False, trouble)


def open_session(prepare: Prepare, screen: str | None = None, plain: bool = False) -> int:
    """`screen` and `plain` are flags of `swe-agent session`. Raises what `prepare` raises where there is no screen to
    show it on, and UsageError for `screen`."""
    preferences, trouble = _preferences(screen)
    if plain or not _screen_there():
        from agent.session.lines import run_lines

        return run_lines(lambda: prepare(trouble))
    gc.disable()  # what is imported stays; the app enables it when its first screen stands
    from agent.tui.app import run

    return run(lambda: prepare(trouble), preferences)


def _preferences(screen: str | None) -> tuple[Preferences, tuple[str, ...]]:
    """How it is to look; a bad word in the config is no reason not to open."""
    try:
        return load_preferences(screen=screen), ()
    except ConfigError as error:
        return Preferences(), (f"{error.message} {error.fix}",)


def _screen_there() -> bool:
    there = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))  # Textual draws on stderr
    return there and os.environ.get("TERM", "dumb") != "dumb"
