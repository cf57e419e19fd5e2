"""Arguments of tool calls, parsed from JSON that can be stored and sent again: finite numbers, limited nesting."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NoReturn

DEEPEST = 50


def parse_arguments(text: str) -> Any:
    """Return the parsed value.

    Raises ValueError with the reason if the text is not JSON, contains NaN or Infinity (providers reject them when
    they are sent back), or is nested so deeply that recursive parsers would fail.
    """
    try:
        value = json.loads(text, strict=False, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(value, DEEPEST):
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    return value


def _refused(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _deeper(value: Any, left: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(_deeper(part, left - 1) for part in parts)
