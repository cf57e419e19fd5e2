"""Text of others as a screen may show it: no escape sequences, one line, no markup."""

from __future__ import annotations

from aci.cleaning import visible


def whole_line(text: str) -> str:
    """A text in one line, its white space folded; of a diff, of which nothing may hide."""
    return " ".join(visible(text).split())


def code_line(text: str, tab: int, longest: int) -> str:
    """A line of code with its tabs as spaces, cut where nobody scrolls to; what would hide in it is written out."""
    more = len(text) - longest
    line = visible(text[:longest]).expandtabs(tab)
    return f"{line} … {more} more characters" if more > 0 else line
