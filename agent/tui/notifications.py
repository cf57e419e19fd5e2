"""Calling the user back: when the session needs them or is done, while they look elsewhere. And the terminal's title.

OSC 9 is iTerm2's, OSC 777 urxvt's; terminals that know neither have a bell.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Literal

from aci.cleaning import one_line
from agent.tui.sequences import MUTE, Write, osc

Way = Literal["off", "bell", "osc9", "osc777"]
LONG = 10.0
"""Seconds of work after which a user is called where the terminal does not tell whether it is looked at."""
LONGEST = 160
"""Characters of a notification."""
NAME = "swe-agent"
KNOWN: tuple[tuple[str, str, Way], ...] = (
    ("TERM_PROGRAM", "iTerm", "osc9"),
    ("LC_TERMINAL", "iTerm", "osc9"),
    ("TERM_PROGRAM", "ghostty", "osc777"),
    ("GHOSTTY_RESOURCES_DIR", "", "osc777"),
    ("TERM", "xterm-ghostty", "osc777"),
    ("TERM_PROGRAM", "WezTerm", "osc777"),
    ("WEZTERM_PANE", "", "osc777"),
    ("TERM_PROGRAM", "WarpTerminal", "osc777"),
    ("KITTY_WINDOW_ID", "", "osc777"),
    ("TERM", "xterm-kitty", "osc777"),
    ("TERM", "foot", "osc777"),
    ("TERM", "rxvt-unicode", "osc777"),
)
"""Variables by which a terminal is known, how they begin, and what it takes."""
PUSH_TITLE, POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"


def way(preference: str, environment: Mapping[str, str]) -> Way:
    """How to call; `auto` takes what the terminal is known to show, else the bell."""
    if preference in ("off", "bell", "osc9", "osc777"):
        return preference  # type: ignore[return-value]
    if environment.get("ZELLIJ"):  # lets nothing through but the bell
        return "bell"
    for name, begins, found in KNOWN:
        if name in environment and environment[name].startswith(begins):
            return found
    return "bell"


def call(words: str, how: Way, environment: Mapping[str, str]) -> str:
    """What makes the terminal show the words."""
    words = one_line(words)[:LONGEST]
    if how == "osc9":
        return osc(f"9;{NAME}: {words}", environment)
    if how == "osc777":
        return osc(f"777;notify;{NAME};{words}", environment)
    return "\a" if how == "bell" else ""


class Notifier:
    """Told what happens, it calls where the user is elsewhere. `clock` tells seconds."""

    def __init__(
        self,
        write: Write,
        preference: str = "auto",
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._environment, self._clock = write, environment, clock
        self._way = way(preference, environment)
        self._focused: bool | None = None
        self._began: float | None = None
        self._title = ""

    def focus(self, focused: bool) -> None:
        """The terminal says whether it is looked at (Textual's AppFocus and AppBlur)."""
        self._focused = focused

    def began(self) -> None:
        """Work has begun, or goes on after an answer."""
        self._began = self._clock()

    def wanted(self, words: str) -> None:
        """The session needs the user, or is done."""
        worked = self._began is not None and self._clock() - self._began >= LONG
        away = worked if self._focused is None else not self._focused
        if away and (sequence := call(words, self._way, self._environment)):
            self._write(sequence)

    def title(self, words: str) -> None:
        """Name the terminal's window or tab; the name it had comes back with `restore`."""
        words = one_line(words)[:LONGEST]
        if words == self._title or self._environment.get("TERM", "") in MUTE:
            return
        self._write(f"{'' if self._title else PUSH_TITLE}\x1b]2;{words}\a")
        self._title = words

    def restore(self) -> None:
        if self._title:
            self._title = ""
            self._write(POP_TITLE)
