"""Untrusted text made safe for a terminal: one line without escape sequences and markup."""

from __future__ import annotations

from aci.observation.untrusted_text import escape_invisible


def visible_line(text: str) -> str:
    """Return text as one line with single spaces and visible control characters."""
    return " ".join(escape_invisible(text).split())


def code_line(text: str, tab: int, longest: int) -> str:
    """Return a line of code with tabs expanded and control characters visible, cut to `longest` characters."""
    more = len(text) - longest
    line = escape_invisible(text[:longest]).expandtabs(tab)
    return f"{line} … {more} more characters" if more > 0 else line
