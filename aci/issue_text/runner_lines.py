"""The lines of a log of GitHub's runner: the time and the marks with which they begin."""

from __future__ import annotations

import re

RUNNER_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z ?")
"""The time with which GitHub's runner begins each line."""
RUNNER_MARK = re.compile(r"^##\[(group|endgroup|command|section|error|warning|notice|debug)\]", re.MULTILINE)
SHOWN_MARKS = {"error": "Error: ", "warning": "Warning: "}
"""What is shown instead of the runner's marks; all others are left out."""


def plain_line(line: str) -> str:
    """Return a line without the time and the marks of GitHub's runner."""
    bare = RUNNER_TIME.sub("", line.removeprefix("\ufeff"), count=1) if line[:3].lstrip("\ufeff").isdigit() else line
    return show_marks(bare)


def show_marks(text: str) -> str:
    """Return lines with the marks of errors and warnings as words, and without all other marks."""
    return RUNNER_MARK.sub(lambda mark: SHOWN_MARKS.get(mark[1], ""), text)
