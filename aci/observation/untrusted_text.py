"""Marks such as `<issue>…</issue>` around somebody's words, which those words can neither end nor begin."""

from __future__ import annotations

import re

GAP = r"[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
"""What a reader does not see, or takes for nothing."""
_ISSUE = re.compile(r"\A<issue[^>]*>")


def guard(*names: str, ends: bool = False) -> re.Pattern[str]:
    """Finds the `<` of what looks like a mark of one of these names, or with `ends` only of the end of one. It takes a
    time that grows with the text's length alone."""
    slash = rf"/{GAP}" if ends else rf"(?:/{GAP})?"
    return re.compile(rf"<(?={GAP}{slash}(?:{'|'.join(names)})\b)", re.IGNORECASE)


OUTPUT = guard("output")
"""What would end what a tool answered, or begin something else that looks like it."""


def output(tool: str, text: str) -> str:
    """What a tool answered, beside what the user says: it cannot end its frame."""
    safe = OUTPUT.sub(r"<\\", text)
    return f'<output of="{tool}">\n{safe}\n</output>'


def unframed(text: str) -> str:
    """An issue without the mark that it begins with, for people."""
    return _ISSUE.sub("", text)
