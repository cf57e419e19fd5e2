"""A cache whose entries live as long as the object that they describe."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


def cache_by_first(function: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[A, P], T]:
    """Cache the results of a function for as long as its first argument exists.

    The first argument is a `Source` or a node of its syntax tree. The results are freed together with this argument, so
    that no syntax tree stays in memory after a search. A result must not refer to the first argument; the other
    arguments must be hashable.
    """
    results: WeakKeyDictionary[A, dict[tuple[Any, ...], T]] = WeakKeyDictionary()

    @wraps(function)
    def cached(first: A, /, *rest: P.args, **named: P.kwargs) -> T:
        known = results.get(first)
        if known is None:
            known = results[first] = {}
        key = (*rest, *named.items())
        if key not in known:
            known[key] = function(first, *rest, **named)
        return known[key]

    return cached
