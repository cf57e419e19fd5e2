"""What stays on the normal screen of the terminal when the session's own is gone, or stands above it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from textual.strip import Strip

from aci.view import clean
from agent.tui.blocks import Item, Line, Words
from agent.tui.endings import Proven
from agent.tui.steps import Taken

if TYPE_CHECKING:
    from agent.session.status import Status
    from agent.tui.pen import Pen

FILES = 20
LINES = 40
"""Of the last answer that are printed."""
NOT_APPLIED = "Not applied to your own files yet: go on with it, then say {}."


def tail(items: Sequence[Item]) -> list[Item]:
    """The last words of the user, and what was answered to them: the last answer and how the turn ended."""
    begin = next((n for n in reversed(range(len(items))) if isinstance(items[n], Words)), None)
    if begin is None:
        return []
    after = items[begin + 1 :]
    answers = [item for item in after if isinstance(item, Taken) and item.reply is not None and item.reply.text]
    others = [item for item in after if isinstance(item, Proven) or (isinstance(item, Line) and item.spaced)]
    return [items[begin], *answers[-1:], *others[-2:]]


def drawn(items: Iterable[Item], pen: Pen) -> list[Strip]:
    return [strip for item in items for block in item.blocks(False) for strip in block.draw(pen)]


def farewell(items: Sequence[Item], status: Status | None, run: str, pen: Pen, apply: str = "/apply") -> list[Strip]:
    """The tail of the conversation, what changed and is not applied, and how to go on with the run."""
    strips = drawn(tail(items), pen)
    if len(strips) > LINES:
        strips = [*strips[: LINES // 2], pen.line(("…", "muted"), indent=2), *strips[-LINES // 2 :]]
    files = status.files if status else ()
    if files:
        strips += [pen.line(""), pen.line(("Changed", "bold"))]
        strips += [pen.line(f"{file.letter} {file.path}", indent=2) for file in files[:FILES]]
        more = len(files) - FILES
        strips += [pen.line((f"and {more} more", "muted"), indent=2)] * (more > 0)
    if files and run:
        strips += [pen.line(""), *pen.paragraph(NOT_APPLIED.format(apply), "warning")]
    if run:
        strips += [pen.line(""), *pen.paragraph(f"Go on with: swe-agent --resume {clean(run)}", "muted")]
    return strips


def show(strips: Sequence[Strip]) -> None:
    """To the terminal, in as many colours as it has; nothing where nobody reads any more."""
    console = Console(file=sys.stdout, highlight=False, markup=False, no_color=bool(os.environ.get("NO_COLOR")) or None)
    try:
        sys.stdout.write("".join(f"{strip.render(console)}\n" for strip in strips))
        sys.stdout.flush()
    except (OSError, ValueError):
        return
