"""Token usage and cost that a provider states for a request, if the figures are plausible."""

from __future__ import annotations

import re
from math import ceil, inf, isfinite
from typing import Any

from trajectories.records import Usage

MOST_TOKENS = 10**9
LONGEST_TOKEN = 32
"""Maximum average number of characters of an output token, with each run of a repeated character counted as one.

Of the 100,256 tokens of OpenAI's cl100k_base, 5 are longer by this count (the longest has 42 characters). Text and code
have 3 to 5 characters a token. A reply that consists only of these 5 tokens would be overestimated by up to a third.
"""
_RUN = re.compile(r"(.)\1+", re.DOTALL)
PARTS = {
    "prompt_tokens_details": ("cached_tokens", "cache_creation_tokens"),
    "completion_tokens_details": ("reasoning_tokens",),
}
FIGURES = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "cost"),
    *("cache_read_input_tokens", "cache_creation_input_tokens"),
)


def larger_usage(one: Any, other: Any) -> Any:
    """Merge two usage objects of one reply, keeping the larger value of each figure. Servers that stream send running
    totals.

    An invalid figure is kept, which makes the usage of the reply unknown.
    """
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one if isinstance(one, dict) else other
    found: dict[str, Any] = {name: _larger(one, other, name) for name in FIGURES}
    for part, names in PARTS.items():
        found[part] = {name: _larger(_part(one, part), _part(other, part), name) for name in names}
    return found


def _larger(one: dict[str, Any], other: dict[str, Any], name: str) -> Any:
    given = [value for value in (one.get(name), other.get(name)) if value is not None]
    return max(given, key=_order, default=None)


def _order(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return float(value) if is_number else inf  # type: ignore[arg-type]


def least_output(*texts: str) -> int:
    """Return a lower bound for the output tokens of these texts. A run of a repeated character may be a single
    token."""
    return ceil(sum(len(_RUN.sub(r"\1", text)) for text in texts) / LONGEST_TOKEN)


def usage(stated: Any, own_figure: bool = False, least: int = 0) -> Usage | None:
    """Return the usage that the provider states, or None if there is none or if a figure is not a valid count.

    If figures contradict each other, the larger one is used: a part cannot exceed its whole, and the difference between
    a total and its parts is output (some servers leave reasoning out of `completion_tokens`). `own_figure` is true if
    `cost` is the provider's own figure in dollars, and not one that litellm computed from its price map. `least` is the
    minimum number of output tokens that the reply can have. It replaces a smaller figure, and the provider's dollars
    are then ignored too.
    """
    if not isinstance(stated, dict):
        return None
    of_input, of_output = _part(stated, "prompt_tokens_details"), _part(stated, "completion_tokens_details")
    try:
        sent, made = _count(stated.get("prompt_tokens")), _count(stated.get("completion_tokens"))
        total, reasoning = _count(stated.get("total_tokens")) or 0, _count(of_output.get("reasoning_tokens")) or 0
        cached = _count(of_input.get("cached_tokens")) or _count(stated.get("cache_read_input_tokens")) or 0
        written = (
            _count(of_input.get("cache_creation_tokens")) or _count(stated.get("cache_creation_input_tokens")) or 0
        )
    except ValueError:
        return None
    if not sent or made is None:
        return None
    sent = max(sent, cached + written)
    made = max(made, reasoning, total - sent)
    if made < least:
        return Usage(sent, least, cached, None, written, stated_output=made)
    dollars = _dollars(stated.get("cost")) if own_figure else None
    return Usage(sent, made, cached, dollars, written)


def _part(stated: dict[str, Any], name: str) -> dict[str, Any]:
    found = stated.get(name)
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int | None:
    """Return the count, or None if there is no value. Raises ValueError if the value is not a count."""
    if value is None:
        return None
    if isinstance(value, float) and isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
        return value
    raise ValueError


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and value >= 0 else None
