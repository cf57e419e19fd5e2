"""Rendered diff lines hide no part of the code."""

from __future__ import annotations

from extensions.interactive.tui.rendering.diff_rows import parse_diff
from extensions.interactive.tui.rendering.diff_text import display_text
from extensions.interactive.tui.rendering.plain_text import visible_line

DIFF = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+import os; os.system('evil') #\rharmless\t\x1b[8m\u202e\n"


def test_display_text_shows_whole_line() -> None:
    (row,) = [row for row in parse_diff(DIFF)[0].rows if row.kind == "added"]
    assert display_text(row) == "import os; os.system('evil') #\\rharmless    ^[[8mU+202E"


def test_visible_line_shows_whole_name() -> None:
    assert visible_line("evil.py\r  a.py") == "evil.py\\r a.py"
