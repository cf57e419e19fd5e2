"""JSON with comments and trailing commas, as editors write it."""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?'  # comments and commas within a string are part of it
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*(?:.*?\*/|.*)", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def parse_json_comments(text: str) -> Any:
    """Return the parsed value. Raises ValueError with the line number.

    An unclosed string ends with its line and an unclosed comment with the text, so that parsing takes linear time.
    """
    plain = _COMMA.sub(_without, _COMMENT.sub(_without, text.removeprefix("\ufeff")))
    try:
        return json.loads(plain)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _without(match: re.Match[str]) -> str:
    """Return a string unchanged, and only the line breaks of a comment, so that errors report the right line."""
    found = match.group()
    return found if found.startswith('"') else "" if found == "," else "\n" * found.count("\n") or " "
