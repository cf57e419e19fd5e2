"""Values of records as text for a reader: times, shortened texts, arguments of actions, data that is short enough."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trajectories.records import Action

MAX_DATA_CHARACTERS = 10_000
"""Maximum number of characters of a note's data, written as JSON."""


def format_time(at: float) -> str:
    """Return a time as ISO 8601 in UTC; empty if it is unknown."""
    if not (math.isfinite(at) and at > 0):
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""


def arguments(action: Action) -> str:
    """Return an action's arguments in readable form: one line each, except multi-line strings, which are kept as they
    are."""
    if action.error:
        return action.error
    result = []
    for name, value in action.arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        result.append(f"{name}:\n{text.rstrip()}" if "\n" in text else f"{name}: {text}")
    return "\n".join(result)


def is_short_data(data: Mapping[str, Any]) -> bool:
    """Return whether the data of a note is short enough to be shown."""
    return len(json.dumps(data)) <= MAX_DATA_CHARACTERS


def shorten_text(text: str, limit: int) -> str:
    """Return the text, or its start and end if it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters …]\n{text[len(text) - tail :]}"
