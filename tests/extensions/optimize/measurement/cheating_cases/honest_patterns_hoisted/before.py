"""Marked-up text as plain text."""

import re


def plain(text):
    """The text without its marks."""
    lines = []
    for line in text.split("\n"):
        marks = [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " ")]
        line = re.sub(re.compile(r"'{2,3}(.*?)'{2,3}"), r"\1", line)
        line = re.sub(re.compile(r"\[\[(?:[^|\]]*\|)?([^\]]*)\]\]"), r"\1", line)
        for mark, letter in marks:
            line = letter.join(line.split(mark))
        result = ""
        for letter in line:
            result = result + letter
        lines = lines + [result]
    return "\n".join(lines)
