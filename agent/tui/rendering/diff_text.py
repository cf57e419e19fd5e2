"""What a diff's rows say, in colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pygments.lexers import find_lexer_class_for_filename  # type: ignore[import-untyped]
from textual.content import Content

from agent.tui.colours import highlighted
from agent.tui.diff_lines import FileDiff, Row
from agent.tui.plain import code_line

LONGEST = 2_000
"""Columns of a line that can be scrolled to."""
TAB = 4
CUT = 40
"""Columns of what is said of the rest of a longer line."""


def colour(rows: Sequence[Row], path: str) -> dict[int, Content]:
    """The text of rows of one file by their numbers, each side of a hunk read as code of its own."""
    found: dict[int, Content] = {}
    lexer = find_lexer_class_for_filename(path.rpartition("/")[2])
    language = lexer.aliases[0] if lexer and lexer.aliases else "text"
    for _, hunk in groupby(rows, lambda row: row.hunk):
        lines = list(hunk)
        for side in ("removed", "added"):
            code = [row for row in lines if row.kind in ("same", side)]
            text = highlighted("\n".join(shown(row) for row in code), language=language)
            found |= zip((row.n for row in code), text.split("\n", allow_blank=True), strict=False)
    return found


def shown(row: Row) -> str:
    """A row's text as a screen may show it."""
    return code_line(row.text, TAB, LONGEST)


def counts(file: FileDiff) -> str:
    """How many lines came and went, in a few characters."""
    return "binary" if file.binary else f"+{file.added} -{file.removed}"


def told(file: FileDiff) -> list[str]:
    """What is to be said of a file beside its lines."""
    return file.notes if file.notes or file.rows else ["empty file"]
