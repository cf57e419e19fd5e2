"""Opening a session: on a full screen if there is a terminal, else line by line."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.config.session_preferences import Preferences, load_preferences
from trajectories.errors import ConfigError, SweAgentError

if TYPE_CHECKING:
    from extensions.interactive.session.session_start import Start

PrepareStart = Callable[[tuple[str, ...]], "Start"]
"""A function that prepares the start of a session; its argument contains problems to report first."""


def run_bare() -> int:
    """Open a session in the current folder and return its exit code. Errors are reported as for a subcommand."""
    try:
        code = open_session(_default_start)
        sys.stdout.flush()
        return code
    except (SweAgentError, OSError) as error:
        from agent.console.error_report import report_failure

        return report_failure([], error)


def _default_start(trouble: tuple[str, ...]) -> Start:
    from extensions.interactive.session.session_start import start

    return start(".", None, "", "build", {}, None, False, trouble)


def open_session(
    prepare: PrepareStart, screen: str | None = None, plain: bool = False, reads_stdin: bool = True
) -> int:
    """Open a session; `screen` and `plain` are flags of `swe-agent session`. Without `reads_stdin`, it ends after the
    first request, without a screen.

    Raises UsageError for an unknown `screen`; without a full screen, errors of `prepare` are raised too.
    """
    preferences, trouble = _preferences(screen)
    if plain or not reads_stdin or not _has_screen():
        from extensions.interactive.session.line_interface import run_lines

        return run_lines(lambda: prepare(trouble), reads_stdin)
    gc.disable()  # for faster imports; the app enables it again once its first screen is drawn
    from extensions.interactive.tui.app import run

    return run(lambda: prepare(trouble), preferences)


def _preferences(screen: str | None) -> tuple[Preferences, tuple[str, ...]]:
    """Return the preferences, and any problems with them; an invalid value in the config does not prevent a session."""
    try:
        return load_preferences(screen=screen), ()
    except ConfigError as error:
        return Preferences(), (f"{error.message} {error.fix}",)


def _has_screen() -> bool:
    there = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))  # Textual draws on stderr
    return there and os.environ.get("TERM", "dumb") != "dumb"
