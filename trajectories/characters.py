"""Patterns for control and invisible characters, by Unicode category, which are removed from all output.

They are regular expressions for use inside `[...]`, since looking up the category of each character of a long output is
too slow. A test compares them with `unicodedata`.
"""

from __future__ import annotations

import re

BREAKS = "\\x85\\u2028\\u2029"
"""Characters that only some programs treat as line breaks: NEL and the categories Zl and Zp."""
DROPPED = (
    r"\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\xad\u180e\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Category Cc except tab, newline and NEL; category Cf except the characters that scripts need; and all of plane 14
(tags)."""
JOINERS, MARKS = r"\u200c\u200d", r"\u061c\u200e\u200f"
"""Format characters that scripts need: they join emoji and letters, and set the direction of the text beside them."""
BLANKS = r"\u034f\u115f\u1160\u3164\ufe00-\ufe0f\uffa0"
"""Letters and combining marks without a visible form."""

_DROPPED = re.compile(f"[{DROPPED}]")
_BREAKS = re.compile(f"[{BREAKS}]")
_WRITING = re.compile(f"[{JOINERS}{MARKS}]+")


def drop_invisible(text: str) -> str:
    """Return the text without control and invisible characters. Unusual line breaks become spaces.

    At most one of several consecutive joiners or direction marks is kept; joiners after ASCII characters are removed,
    because they have no effect there."""
    if text.isascii():
        return text if text.isprintable() else _DROPPED.sub("", text)
    return _WRITING.sub(_needed, _DROPPED.sub("", _BREAKS.sub(" ", text)))


def _needed(found: re.Match[str]) -> str:
    is_joined = found.start() > 0 and not found.string[found.start() - 1].isascii()
    kept = (character for character in found[0] if is_joined or character not in "\u200c\u200d")
    return next(kept, "")
