"""Answers that are kept as long as what was asked about is there, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


def kept(function: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[A, P], T]:
    """The same function, which works each answer out once.

    Its first argument is a source or a part of its syntax tree; with that the answers go, so that no search leaves a
    file's tree in memory. An answer must not hold that argument; the other arguments are hashable.
    """
    answers: WeakKeyDictionary[A, dict[tuple[Any, ...], T]] = WeakKeyDictionary()

    @wraps(function)
    def asked(first: A, /, *rest: P.args, **named: P.kwargs) -> T:
        there = answers.get(first)
        if there is None:
            there = answers[first] = {}
        key = (*rest, *named.items())
        if key not in there:
            there[key] = function(first, *rest, **named)
        return there[key]

    return asked
