"""Caches of tree listings and of other results computed from trees, which never change."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from threading import Lock
from types import MappingProxyType
from typing import Generic, TypeVar

from trajectories.git_store.tree_listing import Entry

MOST, LARGEST = 64, 1_000_000
"""Maximum number of cached results, and of characters (or items) in all of them together."""
LISTINGS, LISTED_FILES = 16, 20_000
"""Maximum number of trees whose listings are kept in memory, and of all their files together; the latest two are always
kept."""

Answer = TypeVar("Answer", bound=Sized)


class Listings:
    """The latest listings of trees: path -> entry."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Entry]] = {}

    def get(self, tree: str) -> Mapping[str, Entry] | None:
        return self._known.get(tree)

    def entries(self) -> dict[str, Entry]:
        """Return the entries of all cached listings by id."""
        return {entry.id: entry for listing in self._known.values() for entry in listing.values()}

    def keep(self, tree: str, listing: dict[str, Entry]) -> Mapping[str, Entry]:
        """Cache a listing, drop old ones, and return a read-only view of it."""
        found = MappingProxyType(listing)
        others = [(id, listing) for id, listing in self._known.items() if id != tree][1 - LISTINGS :]
        while len(others) > 1 and len(found) + sum(len(listing) for _, listing in others) > LISTED_FILES:
            del others[0]
        self._known = dict([*others, (tree, found)])
        return found


class AnswerCache(Generic[Answer]):
    """A cache of the most recent results, by request. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Answer] = {}
        self._size = 0
        self._lock = Lock()

    def get(self, asked: tuple[str, ...]) -> Answer | None:
        return self._known.get(asked)

    def keep(self, asked: tuple[str, ...], answer: Answer) -> Answer:
        """Cache `answer` unless it is too large, and return it."""
        with self._lock:
            if asked not in self._known and len(answer) + len(asked) <= LARGEST:
                self._known[asked] = answer
                self._size += len(answer) + len(asked)
            while len(self._known) > MOST or self._size > LARGEST:
                oldest = next(iter(self._known))
                self._size -= len(self._known.pop(oldest)) + len(oldest)
        return answer
