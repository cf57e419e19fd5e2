"""Escape sequences for the terminal, including those passed through tmux and screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.app import App

Write = Callable[[str], object]
UNSUPPORTED_TERMINALS = ("", "dumb", "linux")
"""Values of TERM for terminals that do not support these sequences."""


def writer(app: App[Any]) -> Write:
    """Return a function that writes a sequence to an app's terminal, if it has one."""

    def write(data: str) -> None:
        if app._driver is not None:  # Textual has no public API for this; its own clipboard code does the same
            app._driver.write(data)

    return write


def osc(text: str, environment: Mapping[str, str]) -> str:
    """Return an operating system command (OSC). tmux passes it through with `allow-passthrough on`, screen always."""
    sequence = f"\x1b]{text}\a"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return f"\x1bP{sequence}\x1b\\" if environment.get("STY") else sequence
