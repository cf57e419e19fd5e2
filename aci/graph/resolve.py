"""From the names of one file to the symbols they mean, in the other files of the same tree too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aci.graph.outline import Outline


class Edge(NamedTuple):
    """A reference whose meaning is known, or one of the few that it may have."""

    symbol: int
    """Index of the referring symbol in its file's outline, -1 for the module."""
    kind: str
    """`call`, `base`, `use` or `import`."""
    path: str
    target: int
    """Index in the outline of `path`, -1 for the file itself."""
    weight: float
    """0 to 1: targets between which nothing decides share it."""
    line: int


class Loose(NamedTuple):
    """An attribute of something nobody knows: any definition in the tree with that bare name may be meant."""

    symbol: int
    kind: str
    name: str
    line: int


class Resolved(NamedTuple):
    edges: tuple[Edge, ...]
    loose: tuple[Loose, ...]
    reached: frozenset[str]
    """Paths whose outlines had a say: as long as none of them changes, nor the set of paths, the result stands."""


class Resolver:
    """Resolves the files of one tree. `outlines` may be lazy: only outlines that are reached are asked for."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self._outlines = outlines

    def resolve(self, path: str) -> Resolved:
        """What the references of the file at `path` mean. Raises KeyError for a path that the tree has not."""
        outline = self._outlines[path]
        defined = {symbol.name: index for index, symbol in enumerate(outline.symbols)}
        edges, loose = [], []
        for kind, name, line, symbol in outline.references:
            bare = name.rpartition(".")[2]
            if name in defined:
                edges.append(Edge(symbol, kind, path, defined[name], 1.0, line))
            elif bare != name:
                loose.append(Loose(symbol, kind, bare, line))
        return Resolved(tuple(edges), tuple(loose), frozenset((path,)))
