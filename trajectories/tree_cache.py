"""Answers about trees are kept, as trees never change: strategy, proof and exit ask git for the same ones."""

from __future__ import annotations

from collections.abc import Sized
from threading import Lock
from typing import Generic, TypeVar

MOST, LARGEST = 64, 1_000_000
"""Answers, and characters (or items) of all together."""

Answer = TypeVar("Answer", bound=Sized)


class Answers(Generic[Answer]):
    """The latest answers by what was asked. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Answer] = {}
        self._size = 0
        self._lock = Lock()

    def get(self, asked: tuple[str, ...]) -> Answer | None:
        return self._known.get(asked)

    def keep(self, asked: tuple[str, ...], answer: Answer) -> Answer:
        """The answer, kept unless it is too large."""
        with self._lock:
            if asked not in self._known and len(answer) + len(asked) <= LARGEST:
                self._known[asked] = answer
                self._size += len(answer) + len(asked)
            while len(self._known) > MOST or self._size > LARGEST:
                oldest = next(iter(self._known))
                self._size -= len(self._known.pop(oldest)) + len(oldest)
        return answer
