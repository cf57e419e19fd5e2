"""What an empty conversation says: what can be done here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.pen import Pen

HINTS = (
    "Say what is wrong, what to build, or ask about the code.",
    "@file brings a file along; a URL is an issue.",
    "shift-tab switches to plan, which only reads.",
    "Your files stay as they are until you /apply.",
    "f1 shows keys and commands.",
)


def hints(pen: Pen) -> list[Strip]:
    """Some lines for whoever sees this for the first time."""
    lines = [pen.line("")]
    for hint in HINTS:
        lines += pen.paragraph(hint, "muted", indent=2)
    return lines
