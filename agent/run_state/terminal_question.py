"""Questions to the user at the terminal: yes or no, or one of a few options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

TICK = 0.1
HINT = "A number, or another answer in words; Enter alone leaves it to the model: "


def at_terminal() -> bool:
    """Return whether the user can be asked something."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(reason: str, question: str = "Continue?") -> bool:
    """Return whether the user answers yes; False without a terminal, and for Ctrl-C or Ctrl-D."""
    if not at_terminal():
        return False
    import typer

    from aci.observation.untrusted_text import clean_text

    try:
        return typer.confirm(f"{clean_text(reason)} {question}".strip(), err=True)
    except typer.Abort:
        return False


def can_choose() -> bool:
    """Return whether the user can be asked to choose among options: at a terminal, outside CI."""
    return at_terminal() and not os.environ.get("CI")


def choose(question: str, options: Sequence[str], is_stopped: Callable[[], bool]) -> tuple[int | None, str]:
    """Ask the user and return the index of the chosen option, or None and the user's own words; "" if there are none.

    What was typed before the question is discarded, since it answers something else. A stop ends the wait without an
    answer.
    """
    from aci.observation.untrusted_text import clean_text

    _discard_input()
    lines = [question, *(f"  {number}  {option}" for number, option in enumerate(options, 1))]
    sys.stderr.write("\n".join(map(clean_text, ["", *lines])) + f"\n{HINT}")
    sys.stderr.flush()
    words = _read_line(is_stopped).strip()
    if words.isascii() and words.isdecimal() and 1 <= int(words) <= len(options):
        return int(words) - 1, ""
    return None, clean_text(words)


def _discard_input() -> None:
    import termios

    if sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _read_line(is_stopped: Callable[[], bool]) -> str:
    """Return the next line of stdin; "" after a stop, which a plain read would not notice."""
    import select

    while not is_stopped():
        if select.select([sys.stdin], [], [], TICK)[0]:
            return sys.stdin.readline()
    return ""
