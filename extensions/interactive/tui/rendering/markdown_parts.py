"""Splitting of long Markdown at paragraphs, so that only visible parts need a layout."""

from __future__ import annotations

import re
from collections.abc import Iterator

PART = 1000
"""Minimum number of characters of a part."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_GOES_ON = re.compile(r"\s|[-*+] |\d+[.)] |[|>]|$")
"""Pattern for the start of a line that may continue the block before a blank line, such as a list item."""


def split_markdown(text: str) -> Iterator[str]:
    """Yield pieces of the text that can be laid out separately; joined, they equal the text."""
    start, length, fence = 0, 0, ""
    at = 0
    before_blank = False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        starts = before_blank and not fence and length >= PART and not _GOES_ON.match(line)
        if starts:
            yield text[start:at]
            start, length = at, 0
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        before_blank = not line.strip()
        length += len(line)
        at += len(line)
    if start < len(text):
        yield text[start:]
