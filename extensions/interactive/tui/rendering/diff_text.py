"""Coloured text of a diff's rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pygments.lexers import find_lexer_class_for_filename  # type: ignore[import-untyped]
from textual.content import Content

from extensions.interactive.tui.rendering.code_theme import highlight_code
from extensions.interactive.tui.rendering.diff_rows import FileDiff, Row
from extensions.interactive.tui.rendering.plain_text import code_line

LONGEST = 2_000
"""Maximum number of columns of a line."""
TAB = 4
CUT = 40
"""Number of columns reserved for the note about the rest of a truncated line."""


def highlight_rows(rows: Sequence[Row], path: str) -> dict[int, Content]:
    """Return the coloured text of a file's rows by row number; the old and new sides of a hunk are highlighted
    separately."""
    found: dict[int, Content] = {}
    lexer = find_lexer_class_for_filename(path.rpartition("/")[2])
    language = lexer.aliases[0] if lexer and lexer.aliases else "text"
    for _, hunk in groupby(rows, lambda row: row.hunk):
        lines = list(hunk)
        for side in ("removed", "added"):
            code = [row for row in lines if row.kind in ("same", side)]
            text = highlight_code("\n".join(display_text(row) for row in code), language=language)
            coloured = text.split("\n", allow_blank=True)
            coloured.append(Content())  # highlighting drops a blank last line
            found |= zip((row.n for row in code), coloured, strict=False)
    return found


def display_text(row: Row) -> str:
    """Return a row's text, safe to show on a terminal."""
    return code_line(row.text, TAB, LONGEST)


def line_counts(file: FileDiff) -> str:
    """Return the number of added and removed lines as short text."""
    return "binary" if file.binary else f"+{file.added} -{file.removed}"


def file_notes(file: FileDiff) -> list[str]:
    """Return the notes about a file."""
    return file.notes if file.notes or file.rows else ["empty file"]
