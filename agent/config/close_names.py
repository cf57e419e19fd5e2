"""Suggestions for names that were probably misspelt."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return the question whether the most similar of the known names was meant; "" if none is similar."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(names), n=1, cutoff=0.65)
    return f"Did you mean `{near[0]}`?" if near else ""
