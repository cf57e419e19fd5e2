"""The hints in an empty conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.strip import Strip

    from extensions.interactive.tui.rendering.line_renderer import LineRenderer

HINTS = (
    "Say what is wrong, what to build, or ask about the code.",
    "@file attaches a file; a URL is an issue.",
    "shift-tab switches to plan, which only reads.",
    "Your files change when you /apply, or at once with /in-place on.",
    "f1 shows keys and commands.",
)


def hint_lines(pen: LineRenderer) -> list[Strip]:
    """Return the hints as lines."""
    lines = [pen.line("")]
    for hint in HINTS:
        lines += pen.paragraph(hint, "muted", indent=2)
    return lines
