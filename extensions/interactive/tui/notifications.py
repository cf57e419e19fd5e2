"""Notifications for an unfocused terminal when the session needs the user or is done, and the terminal's title.

OSC 9 comes from iTerm2, OSC 777 from urxvt; other terminals get a bell.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Literal

from aci.observation.untrusted_text import one_line
from extensions.interactive.session.session_status import State
from extensions.interactive.tui.terminal_sequences import UNSUPPORTED_TERMINALS, Write, osc

Method = Literal["off", "bell", "osc9", "osc777"]
LONG = 10.0
"""Minimum number of seconds of work before a notification, if the terminal does not report its focus."""
LONGEST = 160
"""Maximum number of characters of a notification."""
NAME = "swe-agent"
KNOWN: tuple[tuple[str, str, Method], ...] = (
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
"""Environment variables that identify a terminal, the prefixes of their values, and the notification that the terminal
supports."""
TITLES: dict[State, str] = {
    "idle": "swe-agent: ",
    "working": "… swe-agent: ",
    "asking": "? swe-agent: ",
    "paused": "swe-agent, stopped: ",
}
"""Prefix of the terminal's title, before the repository's name."""
PUSH_TITLE, POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"


def notification_method(preference: str, environment: Mapping[str, str]) -> Method:
    """Return the kind of notification; `auto` selects the one that the terminal supports, or the bell."""
    if preference in ("off", "bell", "osc9", "osc777"):
        return preference  # type: ignore[return-value]
    if environment.get("ZELLIJ"):  # Zellij passes only the bell through
        return "bell"
    for name, begins, found in KNOWN:
        if name in environment and environment[name].startswith(begins):
            return found
    return "bell"


def notification_sequence(words: str, how: Method, environment: Mapping[str, str]) -> str:
    """Return the escape sequence that shows a notification."""
    words = one_line(words)[:LONGEST]
    if how == "osc9":
        return osc(f"9;{NAME}: {words}", environment)
    if how == "osc777":
        return osc(f"777;notify;{NAME};{words}", environment)
    return "\a" if how == "bell" else ""


class Notifier:
    """Notifies the user if the terminal has no focus. `clock` returns the current time in seconds."""

    def __init__(
        self,
        write: Write,
        preference: str = "auto",
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._environment, self._clock = write, environment, clock
        self._way = notification_method(preference, environment)
        self._focused: bool | None = None
        self._began: float | None = None
        self._title = ""

    def focus(self, focused: bool) -> None:
        """Record whether the terminal has focus (Textual's AppFocus and AppBlur)."""
        self._focused = focused

    def began(self) -> None:
        """Record that work started, or continues after an answer."""
        self._began = self._clock()

    def wanted(self, words: str) -> None:
        """Notify that the session needs the user, or is done."""
        worked = self._began is not None and self._clock() - self._began >= LONG
        away = worked if self._focused is None else not self._focused
        if away and (sequence := notification_sequence(words, self._way, self._environment)):
            self._write(sequence)

    def show_state(self, state: State, repository: str) -> None:
        """Show the session's state in the terminal's title."""
        self.title(f"{TITLES[state]}{repository}")

    def title(self, words: str) -> None:
        """Set the title of the terminal's window or tab; `restore` resets it."""
        words = one_line(words)[:LONGEST]
        if words == self._title or self._environment.get("TERM", "") in UNSUPPORTED_TERMINALS:
            return
        self._write(f"{'' if self._title else PUSH_TITLE}\x1b]2;{words}\a")
        self._title = words

    def restore(self) -> None:
        if self._title:
            self._title = ""
            self._write(POP_TITLE)
