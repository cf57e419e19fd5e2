"""Names of files that a repository's CI configuration mentions."""

from __future__ import annotations

import re
from itertools import islice
from typing import Protocol

from agent.patch_checks.protected_paths import is_ci

MOST_FILES = 50
"""Maximum number of CI files to read."""
MOST_BYTES = 500_000
"""Maximum size in bytes of one CI file."""
_WORD = re.compile(r"[\w.+@/-]+")
COMMON = frozenset({"__init__.py"})
"""Names so common that a mention of one file says nothing about the others."""


class Store(Protocol):
    """The store that holds the base, such as `PublishStore`."""

    def paths(self, rev: str) -> tuple[str, ...]: ...
    def read(self, rev: str, path: str, limit: int = ...) -> bytes | None: ...


def ci_names(store: Store, base: str) -> frozenset[str]:
    """Return the words in the CI files of a commit or tree that may be a file's path or name."""
    found: set[str] = set()
    for path in islice(filter(is_ci, store.paths(base)), MOST_FILES):
        text = (store.read(base, path, MOST_BYTES) or b"").decode("utf-8", "replace").casefold()
        found.update(word.removeprefix("./").rstrip(".") for word in _WORD.findall(text))
    return frozenset(found)


def is_mentioned(path: str, names: frozenset[str]) -> bool:
    """Whether the names contain the path, a trailing part of it, or the file's name."""
    parts = path.casefold().split("/")
    ends = {"/".join(parts[at:]) for at in range(len(parts))} - COMMON
    return not ends.isdisjoint(names)
