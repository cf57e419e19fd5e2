"""What a provider says a request came to, where it can be."""

from __future__ import annotations

from math import isfinite
from typing import Any

from trajectories.records import Usage

MOST_TOKENS = 10**9


def usage(said: Any, own_figure: bool = False) -> Usage | None:
    """Tokens as the provider counts them; null where it gave none, or figures that cannot be.

    `own_figure`: `cost` is the provider's, in dollars, and not litellm's from its map.
    """
    if not isinstance(said, dict):
        return None
    details = said.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    sent, made = _count(said.get("prompt_tokens")), _count(said.get("completion_tokens"))
    if not sent or made is None:
        return None
    cached = _count(details.get("cached_tokens")) or _count(said.get("cache_read_input_tokens")) or 0
    written = _count(details.get("cache_creation_tokens")) or _count(said.get("cache_creation_input_tokens")) or 0
    cached = min(cached, sent)
    dollars = _dollars(said.get("cost")) if own_figure else None
    return Usage(sent, made, cached, dollars, min(written, sent - cached))


def _count(value: object) -> int | None:
    if isinstance(value, float) and isfinite(value) and value == int(value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and value >= 0 else None
