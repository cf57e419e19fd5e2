"""What a report takes from its caller, and how it keeps texts short, secret-free and Unicode."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trajectories.records import Action

LONGEST = 100_000
"""Characters of a text that are told at most."""
ROOM = 24_000_000
"""Characters of all texts of a report that are told at most."""
DATA = 10_000
"""Characters of a note's data, written as JSON, that are told at most."""


class Diff(str):
    """A text that was masked and made short already, and stays as it is: a patch loses no middle."""

    __slots__ = ()


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


def fits(data: Mapping[str, Any]) -> bool:
    return len(json.dumps(data)) <= DATA


def lengths(value: Any) -> Iterator[int]:
    """Of each text in it that may be made short."""
    if isinstance(value, str):
        if not isinstance(value, Diff):
            yield len(value)
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from lengths(each)


def masked(value: Any, mask: Callable[[str], str], limit: int = LONGEST) -> Any:
    """The value with every text in it masked, without what is not Unicode, and then no longer than `limit`."""
    if isinstance(value, Diff):
        return value
    if isinstance(value, str):
        hidden = mask(unicode(value))
        return hidden if len(value) <= limit else shortened(hidden, limit)
    if isinstance(value, Mapping):
        return {mask(unicode(str(name))): masked(each, mask, limit) for name, each in value.items()}
    return [masked(each, mask, limit) for each in value] if isinstance(value, list | tuple) else value


def unicode(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
