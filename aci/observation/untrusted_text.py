"""Tags such as `<issue>…</issue>` around untrusted text, which the text itself can neither close nor open."""

from __future__ import annotations

import re

GAP = r"[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
"""Matches white space and invisible characters."""
_ISSUE = re.compile(r"\A<issue[^>]*>")


def tag_pattern(*names: str, ends: bool = False) -> re.Pattern[str]:
    """Return a pattern that matches the `<` of anything similar to a tag with one of these names; if `ends` is true,
    only of closing tags.

    Its running time is linear in the length of the text.
    """
    slash = rf"/{GAP}" if ends else rf"(?:/{GAP})?"
    return re.compile(rf"<(?={GAP}{slash}(?:{'|'.join(names)})\b)", re.IGNORECASE)


OUTPUT = tag_pattern("output")
"""Matches anything that could close the tag of a tool's output or open another one."""


def wrap_output(tool: str, text: str) -> str:
    """Wrap a tool's output in tags that the output cannot close, to separate it from the user's text."""
    safe = OUTPUT.sub(r"<\\", text)
    return f'<output of="{tool}">\n{safe}\n</output>'


def strip_tags(text: str) -> str:
    """Return an issue without its opening tag, for display to users."""
    return _ISSUE.sub("", text)
