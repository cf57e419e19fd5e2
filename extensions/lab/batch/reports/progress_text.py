"""Formatting of times, dollars and forecasts for progress lines."""

from __future__ import annotations

from aci.observation.untrusted_text import clean_text
from extensions.lab.batch.reports.forecast import ForecastRange

MINUTE, HOUR = 60, 3600
LONGEST_LINE = 240
"""Maximum number of characters of a line with untrusted text."""


def single_line(text: str) -> str:
    """Return text as one line, without terminal control sequences."""
    shown = " ".join(clean_text(text[: 4 * LONGEST_LINE]).split())
    return shown if len(shown) <= LONGEST_LINE else f"{shown[: LONGEST_LINE - 1]}…"


def clock(seconds: float) -> str:
    """Return a time such as `1:23` or `1:01:23`."""
    minutes, rest = divmod(round(max(0.0, seconds)), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def approximate_duration(seconds: float) -> str:
    """Return an approximate time: `50 s`, `31 min`, `2.5 h`."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def money(dollars: float | None, digits: int = 2) -> str:
    return "price unknown" if dollars is None else f"${dollars:.{digits}f}"


def forecast_time_text(left: ForecastRange | None) -> str:
    if left is None or not left.mean:
        return ""
    mean, low, high = (approximate_duration(seconds) for seconds in (left.mean, left.low, left.high))
    return f"about {mean} left ({low} to {high})"


def forecast_cost_text(cost: ForecastRange | None) -> str:
    """Return the expected total cost with its range; "" if it is unknown or certain."""
    if cost is None or cost.high - cost.low < 0.005:
        return ""
    return f"about {money(cost.mean)} in total ({cost.low:.2f} to {cost.high:.2f})"


def pause_message(model: str, seconds: float) -> str:
    return f"{model} pauses for {seconds:.0f} s: too many requests"
