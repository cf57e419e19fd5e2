"""Names of files that a repository's CI configuration mentions."""

from __future__ import annotations

import re
from itertools import islice
from typing import Protocol

from agent.github.unwelcome import is_ci

MOST_FILES = 50
"""CI files that are read."""
MOST_BYTES = 500_000
"""Of one CI file."""
_WORD = re.compile(r"[\w.+@/-]+")
COMMON = frozenset({"__init__.py"})
"""Names that so many files have that a mention of one says nothing about the others."""


class Store(Protocol):
    """What holds the base: an outbox."""

    def paths(self, rev: str) -> tuple[str, ...]: ...
    def read(self, rev: str, path: str, limit: int = ...) -> bytes | None: ...


def ci_names(store: Store, base: str) -> frozenset[str]:
    """Words of the CI files of a commit or tree that may be the path or the name of a file."""
    found: set[str] = set()
    for path in islice(filter(is_ci, store.paths(base)), MOST_FILES):
        text = (store.read(base, path, MOST_BYTES) or b"").decode("utf-8", "replace").casefold()
        found.update(word.removeprefix("./").rstrip(".") for word in _WORD.findall(text))
    return frozenset(found)


def is_mentioned(path: str, names: frozenset[str]) -> bool:
    """Whether the names hold the path, its end from some folder on, or the file's name."""
    parts = path.casefold().split("/")
    ends = {"/".join(parts[at:]) for at in range(len(parts))} - COMMON
    return not ends.isdisjoint(names)
