"""Resolution of file names in text: relative paths, dotted modules and paths of installed packages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

_INSTALLED = re.compile(r"(?:site|dist)-packages/")
ROOTS = 3
"""One more than the number of leading path components, such as `src/` or `lib/`, that a dotted name may omit."""


class PathIndex:
    """An index of some of a tree's paths, by their numbers in the graph."""

    def __init__(self, paths: Sequence[str], wanted: Iterable[int]) -> None:
        self._by_name: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
        self._modules: dict[str, list[int]] = defaultdict(list)
        for number in wanted:
            parts = paths[number].split("/")
            self._by_name[parts[-1]].append((parts, number))
            dotted = paths[number].rpartition(".")[0].removesuffix("/__init__").split("/")
            for first in range(min(len(dotted) - 1, ROOTS)):
                self._modules[".".join(dotted[first:])].append(number)

    def at(self, mentioned: str) -> list[int]:
        """Return the files that a path may refer to; the path may be relative to any folder, or absolute on another
        machine."""
        wanted = _INSTALLED.split(mentioned)[-1].strip("/").split("/")
        enough = 3 if "-packages/" in mentioned else 2
        found: dict[int, list[int]] = defaultdict(list)
        for parts, number in self._by_name.get(wanted[-1], ()):
            common = _common_end(parts, wanted)
            if common == min(len(parts), len(wanted)) or common >= enough:
                found[common].append(number)
        return found[max(found)] if found else []

    def module(self, dotted: str) -> list[int]:
        """Return the files of the module named by the longest matching prefix of a dotted name, of at least two
        parts."""
        parts = dotted.split(".")
        for length in range(len(parts), 1, -1):
            if found := self._modules.get(".".join(parts[:length])):
                return found if len(parts) - length < 3 else []
        return []


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    while common < min(len(one), len(other)) and one[-1 - common] == other[-1 - common]:
        common += 1
    return common
