"""Inline mode: the app below the terminal's output; finished items are printed above it, into the scrollback.

Textual draws an inline app at the cursor and leaves the cursor at its upper left corner. To print above it, move there,
clear the rest of the screen, print, and redraw the app. Textual has no public API for this, so the private
`_previous_cursor_position` is used. Printed lines are not redrawn when the width changes; the terminal wraps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.control import Control
from textual.geometry import Offset

if TYPE_CHECKING:
    from textual.app import App
    from textual.strip import Strip


def print_above(app: App[Any], strips: Sequence[Strip]) -> None:
    """Print lines above the app, into the scrollback."""
    driver = app._driver
    if driver is None or not strips:
        return
    home = Control.move(*(-app._previous_cursor_position)).segment.text
    lines = "".join(f"{strip.render(app.console)}\x1b[K\r\n" for strip in strips)
    driver.write(f"{home}\r\x1b[J{lines}")
    driver.flush()
    app._previous_cursor_position = Offset(0, 0)
    app.screen.refresh()
