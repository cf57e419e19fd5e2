"""JSON as editors write it: with comments, and commas before a closing bracket."""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?'  # in which nothing else is looked for
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*(?:.*?\*/|.*)", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def loads(text: str) -> Any:
    """The value. Raises ValueError that says in which line it is none.

    What is not closed goes to the end, so that the time is proportional to the text.
    """
    plain = _COMMA.sub(_without, _COMMENT.sub(_without, text.removeprefix("\ufeff")))
    try:
        return json.loads(plain)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _without(match: re.Match[str]) -> str:
    """Strings stay; the lines of a comment stay lines, so that errors name the right one."""
    found = match.group()
    return found if found.startswith('"') else "" if found == "," else "\n" * found.count("\n") or " "
