"""The grammar of unified diffs: hunk headers, and the hunks of one file's diff.

A diff is text as git writes it. All lines after the first hunk header of a file begin with a mark, so no content line
can be mistaken for a hunk header. To read the diffs of several files, split them at `diff --git` first.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

# A line number has at most 18 digits, so that no text can exceed Python's limit on the digits of an int.
_HEADER = r"@@ -([0-9]{1,18})(?:,([0-9]{1,18}))? \+([0-9]{1,18})(?:,([0-9]{1,18}))? @@"
_WITH_SECTION = re.compile(rf"(?m)^{_HEADER} ?(.*)$")
HUNK_HEADER_BYTES = re.compile(_HEADER.encode())
"""A hunk header, for code that reads too many bytes to decode each line.

The groups are the start and the count of the old lines and of the new lines; a missing count is 1.
"""


class HunkHeader(NamedTuple):
    """The ranges of lines in the old and the new file; `section` is the text after them, often a function's name.

    If a count is 0, the start is the number of the line before.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str


def parse_hunk_header(line: str) -> HunkHeader | None:
    """Return the hunk header on this line, or None if it is another line."""
    match = _WITH_SECTION.match(line)
    return _header(match) if match else None


def split_hunks(diff: str) -> tuple[str, list[tuple[HunkHeader, str]]]:
    """Split the diff of one file into the text before its first hunk, and its hunks with their text.

    A hunk's text begins with its header line.
    """
    found = list(_WITH_SECTION.finditer(diff))
    starts = [match.start() for match in found] + [len(diff)]
    texts = [diff[start:end] for start, end in pairwise(starts)]
    return diff[: starts[0]], [(_header(match), text) for match, text in zip(found, texts, strict=True)]


def shown_lines(diff: str) -> frozenset[int]:
    """Return the lines of the new file that the diff of one file shows, changed or not. GitHub shows a remark beside
    the code only on these."""
    found: set[int] = set()
    for header, text in split_hunks(diff)[1]:
        line = header.new_start
        for each in text.split("\n")[1:]:
            if each[:1] in ("+", " "):
                found.add(line)
                line += 1
    return frozenset(found)


def split_header(diff: str) -> tuple[str, str]:
    """Split the diff of one file into its header and its hunks, even if the line numbers of a hunk are missing."""
    at = _first_hunk(diff)
    return diff[:at], diff[at:]


def count_changed_lines(diff: str) -> tuple[int, int]:
    """Return the numbers of lines that the diff of one file adds and removes; 0 for a binary file."""
    at = _first_hunk(diff)
    return diff.count("\n+", at), diff.count("\n-", at)


def _first_hunk(diff: str) -> int:
    if diff.startswith("@@"):
        return 0
    return diff.find("\n@@") + 1 or len(diff)


def _header(match: re.Match[str]) -> HunkHeader:
    old_start, old_count, new_start, new_count, section = match.groups()
    return HunkHeader(int(old_start), int(old_count or 1), int(new_start), int(new_count or 1), section)
