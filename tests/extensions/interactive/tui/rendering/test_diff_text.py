"""Coloured text of a diff's rows."""

from __future__ import annotations

from difflib import unified_diff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.interactive.tui.rendering.diff_rows import parse_diff
from extensions.interactive.tui.rendering.diff_text import display_text, highlight_rows

LINES = st.lists(
    st.sampled_from(["", "a = 1", " ", "\t", "\f", "'''", "# é", "\r", "\u2028x", "x\x85y", "\x00"]), max_size=8
)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["a.py", "HISTORY.md", "a.rst", "a.json", "no_suffix", "a.html", "a.yml", "a.diff"])
@given(old=LINES, new=LINES)
def test_each_row_has_its_text(path: str, old: list[str], new: list[str]) -> None:
    lines = unified_diff([f"{line}\n" for line in old], [f"{line}\n" for line in new], f"a/{path}", f"b/{path}")
    for file in parse_diff("".join(lines)):
        coloured = highlight_rows(file.rows, path)
        rows = [row for row in file.rows if row.kind in ("same", "added", "removed")]
        assert [coloured[row.n].plain for row in rows] == [display_text(row) for row in rows]


def test_hunk_may_end_with_blank_line() -> None:
    (file,) = parse_diff("--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-one\n+two\n \n")
    assert {n: text.plain for n, text in highlight_rows(file.rows, "a.py").items()} == {1: "one", 2: "two", 3: ""}
