"""How times, dollars and what is to come are told, in a line or a log."""

from __future__ import annotations

from aci.view import clean
from agent.batch.forecast import Range

MINUTE, HOUR = 60, 3600
LONGEST_LINE = 240
"""Characters of a line that strangers wrote a part of."""


def line(text: str) -> str:
    """A text as one line, without what would drive a terminal."""
    shown = " ".join(clean(text[: 4 * LONGEST_LINE]).split())
    return shown if len(shown) <= LONGEST_LINE else f"{shown[: LONGEST_LINE - 1]}…"


def clock(seconds: float) -> str:
    """`1:23`, `1:01:23`."""
    minutes, rest = divmod(round(max(0.0, seconds)), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rough(seconds: float) -> str:
    """A time that nobody knows to the second: `50 s`, `31 min`, `2.5 h`."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def money(dollars: float | None, digits: int = 2) -> str:
    return "price unknown" if dollars is None else f"${dollars:.{digits}f}"


def time_ahead(left: Range | None) -> str:
    return f"about {rough(left.mean)} left ({rough(left.low)} to {rough(left.high)})" if left and left.mean else ""


def money_ahead(cost: Range | None) -> str:
    """What it will have cost, with a range."""
    if cost is None or cost.high - cost.low < 0.005:
        return ""
    return f"about {money(cost.mean)} in all ({cost.low:.2f} to {cost.high:.2f})"


def paused(model: str, seconds: float) -> str:
    return f"{model} pauses for {seconds:.0f} s: too many requests"
