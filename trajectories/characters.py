"""Characters that are not text, by Unicode category: what no output shows or obeys.

Patterns, since looking up the category of each character of a long output takes too long; a test compares them with
`unicodedata`. Python's regular expressions take them as the inside of `[...]`.
"""

from __future__ import annotations

import re

BREAKS = "\\x85\\u2028\\u2029"
"""Line breaks for some readers and not for others: NEL and the categories Zl and Zp."""
DROPPED = (
    r"\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\xad\u180e\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Category Cc but for tab, newline and NEL; category Cf but for what writing needs, and all of plane 14 (tags)."""
JOINERS, MARKS = r"\u200c\u200d", r"\u061c\u200e\u200f"
"""Format characters of writing: they join emoji and letters, and give the direction of the text beside them."""
BLANKS = r"\u034f\u115f\u1160\u3164\ufe00-\ufe0f\uffa0"
"""Letters and combining marks that look like nothing."""

_DROPPED = re.compile(f"[{DROPPED}]")
_BREAKS = re.compile(f"[{BREAKS}]")
_WRITING = re.compile(f"[{JOINERS}{MARKS}]+")


def drop_unseen(text: str) -> str:
    """Text without controls and invisible characters. Odd line breaks become spaces. Of characters that join or give a
    direction one stays at a place, joiners only where there is something to join: emoji and scripts beyond ASCII."""
    if text.isascii():
        return text if text.isprintable() else _DROPPED.sub("", text)
    return _WRITING.sub(_needed, _DROPPED.sub("", _BREAKS.sub(" ", text)))


def _needed(found: re.Match[str]) -> str:
    is_joined = found.start() > 0 and not found.string[found.start() - 1].isascii()
    kept = (character for character in found[0] if is_joined or character not in "\u200c\u200d")
    return next(kept, "")
