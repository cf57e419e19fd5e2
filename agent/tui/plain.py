"""Text of others as a screen may show it: no escape sequences, one line, no markup."""

from __future__ import annotations

from aci.cleaning import clean

LINE_ENDS = str.maketrans({"\u2028": " ", "\u2029": " "})
"""What Python takes for an end of line and a terminal does not."""


def one_line(text: str) -> str:
    """A text in one line, its white space folded."""
    return " ".join(clean(text).split())


def code_line(text: str, tab: int, longest: int) -> str:
    """A line of code with its tabs as spaces, cut where nobody scrolls to."""
    more = len(text) - longest
    line = clean(text[:longest]).translate(LINE_ENDS).expandtabs(tab)
    return f"{line} … {more} more characters" if more > 0 else line
