"""Marked-up text as plain text."""

import re

_STRESS = re.compile(r"'{2,3}(.*?)'{2,3}")
_LINK = re.compile(r"\[\[(?:[^|\]]*\|)?([^\]]*)\]\]")
_MARKS = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}


def plain(text):
    """The text without its marks."""
    lines = []
    for line in text.split("\n"):
        line = _LINK.sub(r"\1", _STRESS.sub(r"\1", line))
        for mark, letter in _MARKS.items():
            if mark in line:
                line = line.replace(mark, letter)
        lines.append(line)
    return "\n".join(lines)
