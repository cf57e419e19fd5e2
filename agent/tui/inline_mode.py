"""The session below what the terminal shows: what is over is printed above it, into the terminal's own scrollback.

Textual draws an inline app at the cursor and leaves that at its upper left corner. So the way is: go there, clear what
is below, print, and have the app drawn anew. Textual has no public way to do this; `_previous_cursor_position` is the
one thing of its own that is used. A change of the width cannot draw anew what is printed: the terminal folds it.
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
    """Lines that stay, above the app."""
    driver = app._driver
    if driver is None or not strips:
        return
    home = Control.move(*(-app._previous_cursor_position)).segment.text
    lines = "".join(f"{strip.render(app.console)}\x1b[K\r\n" for strip in strips)
    driver.write(f"{home}\r\x1b[J{lines}")
    driver.flush()
    app._previous_cursor_position = Offset(0, 0)
    app.screen.refresh()
