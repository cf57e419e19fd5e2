"""Sequences for the terminal itself, and how they get to it through tmux and screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.app import App

Write = Callable[[str], object]
MUTE = ("", "dumb", "linux")
"""What TERM says of terminals that would show such a sequence, or do nothing with it."""


def writer(app: App[Any]) -> Write:
    """What brings a sequence to an app's terminal; nothing where it has none."""

    def write(data: str) -> None:
        if app._driver is not None:  # Textual has no public way; its own clipboard does the same
            app._driver.write(data)

    return write


def osc(text: str, environment: Mapping[str, str]) -> str:
    """An operating system command. tmux lets it through with `allow-passthrough on`, screen always."""
    sequence = f"\x1b]{text}\a"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return f"\x1bP{sequence}\x1b\\" if environment.get("STY") else sequence
