"""A call's arguments as JSON that can be kept and sent on: numbers that JSON has, and no deeper than anybody needs."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, NoReturn

DEEPEST = 50


def read(text: str) -> Any:
    """The value. Raises ValueError, which says what is wrong, for what is no JSON, for NaN and Infinity, which
    providers refuse to be sent back, and for nesting that recursive readers break at."""
    try:
        value = json.loads(text, strict=False, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(value, DEEPEST):
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    return value


def _refused(name: str) -> NoReturn:
    raise ValueError(f"there is no {name} in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _deeper(value: Any, left: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(_deeper(part, left - 1) for part in parts)
