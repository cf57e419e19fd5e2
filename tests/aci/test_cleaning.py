"""What is approved of is shown whole: controls are written out, and obeyed by nobody."""

from __future__ import annotations

import pytest

from aci.cleaning import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm x #\recho", "rm x #\\recho"),
        ("a\bb\x7f", "a^Hb^?"),
        ("\x1b]0;t\x07\x1b[2J", "^[]0;t^G^[[2J"),
        ("a\u202eb\u2066\u200b\ufeff", "aU+202EbU+2066U+200BU+FEFF"),
        ("\x9b2J\x85\u2028", "U+009B2JU+0085U+2028"),
        ("\U000e0041\ud800", "U+E0041\ufffd"),
        ("tab\tand\nline, äöü 漢字 😀", "tab\tand\nline, äöü 漢字 😀"),
    ],
    ids=range(7),
)
def test_nothing_hides(text: str, shown: str) -> None:
    assert visible(text) == shown
