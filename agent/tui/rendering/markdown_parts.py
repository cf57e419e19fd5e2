"""Long Markdown taken apart where a paragraph begins, so that only what is on the screen is ever laid out."""

from __future__ import annotations

import re
from collections.abc import Iterator

PART = 1000
"""Characters of a part at least."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_GOES_ON = re.compile(r"\s|[-*+] |\d+[.)] |[|>]|$")
"""Beginnings of lines that belong to what stands before a blank line."""


def parts(text: str) -> Iterator[str]:
    """The text in pieces that can be laid out each by itself; put together they are the text."""
    begin, length, fence = 0, 0, ""
    at = 0
    before_blank = False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        starts = before_blank and not fence and length >= PART and not _GOES_ON.match(line)
        if starts:
            yield text[begin:at]
            begin, length = at, 0
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        before_blank = not line.strip()
        length += len(line)
        at += len(line)
    if begin < len(text):
        yield text[begin:]
