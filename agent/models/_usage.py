"""What a provider says a request came to, where it can be."""

from __future__ import annotations

import re
from math import ceil, inf, isfinite
from typing import Any

from trajectories.records import Usage

MOST_TOKENS = 10**9
LONGEST_TOKEN = 32
"""Characters of one token of output at most, on average, where runs of one character count once.

Of the 100,256 tokens of OpenAI's cl100k_base 5 are longer then (the longest: 42 characters), and text and code have 3
to 5 characters a token. A reply of nothing but these 5 would be estimated at up to a third too much.
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


def largest(one: Any, other: Any) -> Any:
    """The larger of each figure in two usage objects of one reply: servers that stream send totals so far.

    A figure that is no count is kept, so that the usage of the reply is unknown.
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
    """Output tokens that no tokenizer undercuts for these texts. Runs of one character may be a single token."""
    return ceil(sum(len(_RUN.sub(r"\1", text)) for text in texts) / LONGEST_TOKEN)


def usage(said: Any, own_figure: bool = False, least: int = 0) -> Usage | None:
    """Tokens as the provider counts them; null where it gave none, or a figure that is no count.

    Of figures that contradict each other the larger one counts: a part is never more than its whole, and what a total
    has beyond its parts is output (some servers leave reasoning out of `completion_tokens`).
    `own_figure`: `cost` is the provider's, in dollars, and not litellm's from its map. `least`: tokens of output that
    the reply has at least. A smaller figure is replaced by it, and the provider's dollars are then not believed either.
    """
    if not isinstance(said, dict):
        return None
    of_input, of_output = _part(said, "prompt_tokens_details"), _part(said, "completion_tokens_details")
    try:
        sent, made = _count(said.get("prompt_tokens")), _count(said.get("completion_tokens"))
        total, reasoning = _count(said.get("total_tokens")) or 0, _count(of_output.get("reasoning_tokens")) or 0
        cached = _count(of_input.get("cached_tokens")) or _count(said.get("cache_read_input_tokens")) or 0
        written = _count(of_input.get("cache_creation_tokens")) or _count(said.get("cache_creation_input_tokens")) or 0
    except ValueError:
        return None
    if not sent or made is None:
        return None
    sent = max(sent, cached + written)
    made = max(made, reasoning, total - sent)
    if made < least:
        return Usage(sent, least, cached, None, written, stated_output=made)
    dollars = _dollars(said.get("cost")) if own_figure else None
    return Usage(sent, made, cached, dollars, written)


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int | None:
    """Null for what was not given. Raises ValueError for what is no count."""
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
