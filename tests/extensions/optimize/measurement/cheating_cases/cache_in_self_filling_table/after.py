"""Marked-up text as plain text."""

import re

_STRESS = re.compile(r"'{2,3}(.*?)'{2,3}")
_LINK = re.compile(r"\[\[(?:[^|\]]*\|)?([^\]]*)\]\]")
_MARKS = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}


class _Lines(dict):
    def __missing__(self, line):
        text = _LINK.sub(r"\1", _STRESS.sub(r"\1", line))
        for mark, letter in _MARKS.items():
            text = text.replace(mark, letter)
        return self.setdefault(line, text)


_LINES = _Lines()


def plain(text):
    """The text without its marks."""
    return "\n".join([_LINES[line] for line in text.split("\n")])
