"""Points in time as users write them: `3d` ago, or a date."""

from __future__ import annotations

import re
from datetime import datetime

from trajectories.errors import UsageError

UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_time(text: str, now: float) -> float:
    """Return a point in time as seconds since the epoch.

    `text` is `90m`, `12h`, `3d` or `2w` before `now`, or a local date or time in ISO 8601 (`2026-01-31`,
    `2026-01-31 14:00`). Raises UsageError for anything else.
    """
    if match := re.fullmatch(r"(\d{1,6})([mhdw])", text.strip()):
        return now - int(match[1]) * UNITS[match[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{text[:40]!r} is not a time.", "Write 12h, 3d, 2w, or a date such as 2026-01-31.") from None
