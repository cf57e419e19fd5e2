"""What a report takes from its caller, and how it keeps texts short, secret-free and Unicode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trajectories.records import Action

LONGEST = 100_000
"""Characters of a text that are told at most."""
ROOM = 24_000_000
"""Characters of all texts of a report that are told at most."""


@dataclass(frozen=True)
class Words:
    """What other floors know of a run's words. `describe` makes a line of an action, `in_tests` says which part of a
    patch a path belongs to, `mask` hides secrets; `parts` are a verdict's questions, `endings` how a run may end."""

    describe: Callable[[Action], str]
    in_tests: Callable[[str], bool]
    mask: Callable[[str], str]
    parts: Mapping[str, str]
    endings: Mapping[str, str]


def level(lengths: Iterable[int], room: int, most: int = LONGEST) -> int:
    """The most characters that each text may have so that all fit into `room`: the short ones stay whole."""
    known = sorted(lengths)
    for at, length in enumerate(known):
        left = len(known) - at
        if length * left > room:
            return min(most, room // left)
        room -= length
    return most


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and its end."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters …]\n{text[len(text) - tail :]}"


def when(at: float) -> str:
    """ISO 8601 in UTC; empty where nobody knows."""
    if not (math.isfinite(at) and at > 0):
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""


def masked(value: Any, mask: Callable[[str], str]) -> Any:
    """The value with every text in it masked, and without what is not Unicode."""
    if isinstance(value, str):
        return mask(value if value.isascii() else value.encode("utf-8", "replace").decode())
    if isinstance(value, Mapping):
        return {masked(str(name), mask): masked(each, mask) for name, each in value.items()}
    return [masked(each, mask) for each in value] if isinstance(value, list | tuple) else value
