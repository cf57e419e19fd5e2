"""Output that remains in the terminal's scrollback after a session, or is printed above the app in inline mode."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from textual.strip import Strip

from aci.observation.untrusted_text import clean_text
from extensions.interactive.tui.widgets.conversation_items import Item, Line, UserMessage
from extensions.interactive.tui.widgets.outcome_items import ProofItem
from extensions.interactive.tui.widgets.step_item import StepItem

if TYPE_CHECKING:
    from extensions.interactive.session.session_status import Status
    from extensions.interactive.tui.rendering.line_renderer import LineRenderer

FILES = 20
LINES = 40
"""Maximum number of lines of the last exchange that are printed on exit."""
NOT_APPLIED = "Not applied to your own files yet: resume the session, then use {}."


def last_exchange(items: Sequence[Item]) -> list[Item]:
    """Return the user's last message, the last answer and how the turn ended."""
    start = next((n for n in reversed(range(len(items))) if isinstance(items[n], UserMessage)), None)
    if start is None:
        return []
    after = items[start + 1 :]
    answers = [item for item in after if isinstance(item, StepItem) and item.reply is not None and item.reply.text]
    others = [item for item in after if isinstance(item, ProofItem) or (isinstance(item, Line) and item.spaced)]
    return [items[start], *answers[-1:], *others[-2:]]


def draw_items(items: Iterable[Item], pen: LineRenderer) -> list[Strip]:
    return [strip for item in items for block in item.blocks(False) for strip in block.draw(pen)]


def farewell(
    items: Sequence[Item], status: Status | None, run: str, pen: LineRenderer, apply: str = "/apply"
) -> list[Strip]:
    """Return the lines printed on exit: the last exchange, the changes that are not applied, and how to resume the
    run."""
    strips = draw_items(last_exchange(items), pen)
    if len(strips) > LINES:
        strips = [*strips[: LINES // 2], pen.line(("…", "muted"), indent=2), *strips[-LINES // 2 :]]
    files = status.files if status else ()
    if files:
        strips += [pen.line(""), pen.line(("Changed", "bold"))]
        strips += [pen.line(f"{file.letter} {file.path}", indent=2) for file in files[:FILES]]
        more = len(files) - FILES
        strips += [pen.line((f"and {more} more", "muted"), indent=2)] * (more > 0)
    is_in_place = status is not None and status.in_place
    if files and run and (not is_in_place or (status is not None and status.kept_back)):
        strips += [pen.line(""), *pen.paragraph(NOT_APPLIED.format(apply), "warning")]
    if run:
        words = f"Resume with: swe-agent --resume {clean_text(run)}{' --in-place' * is_in_place}"
        strips += [pen.line(""), *pen.paragraph(words, "muted")]
    return strips


def print_strips(strips: Sequence[Strip]) -> None:
    """Print lines in the terminal's colours; errors of a closed terminal are ignored."""
    console = Console(file=sys.stdout, highlight=False, markup=False, no_color=bool(os.environ.get("NO_COLOR")) or None)
    try:
        sys.stdout.write("".join(f"{strip.render(console)}\n" for strip in strips))
        sys.stdout.flush()
    except (OSError, ValueError):
        return
