"""Edges as columns: those of files that were resolved together, a bundle."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.resolve import Resolved

Ints = npt.NDArray[np.int32]
KINDS = ("call", "base", "use", "import")


class Rows(NamedTuple):
    """The edges of some of a bundle's files: `path` counts in the bundle's paths, `file` in its files."""

    file: Ints
    symbol: Ints
    kind: Ints
    line: Ints
    path: Ints
    target: Ints
    weight: npt.NDArray[np.float32]


class LooseRows(NamedTuple):
    """Attributes of receivers nobody knows; `name` counts in the bundle's names."""

    file: Ints
    symbol: Ints
    kind: Ints
    line: Ints
    name: Ints


class Bundle:
    """`paths` are all that it speaks of: `files` of them were resolved, the others had a say."""

    def __init__(self, data: bytes) -> None:
        self.paths, self.names, files, edges, weights, loose, reached = marshal.loads(data)
        self.files: list[str] = [self.paths[path] for path in np.frombuffer(files, np.int32).tolist()]
        self._edges = Rows._make((*_columns(edges, 6), np.frombuffer(weights, np.float32)))
        self._loose = LooseRows(*_columns(loose, 5))
        self._reached = _columns(reached, 2)

    @cached_property
    def number(self) -> dict[str, int]:
        """Of each of its files."""
        return {path: number for number, path in enumerate(self.files)}

    def edges(self, files: Sequence[int]) -> Rows:
        taken = self._taken(files)[self._edges.file]
        return Rows._make(column[taken] for column in self._edges)

    def loose(self, files: Sequence[int]) -> LooseRows:
        taken = self._taken(files)[self._loose.file]
        return LooseRows._make(column[taken] for column in self._loose)

    def reaching(self, paths: Iterable[str]) -> set[str]:
        """Its files in whose resolution one of these paths had a say."""
        wanted = set(paths)
        meant = np.fromiter((path in wanted for path in self.paths), np.bool_, len(self.paths))
        file, path = self._reached
        return {self.files[number] for number in np.unique(file[meant[path]]).tolist()}

    def _taken(self, files: Sequence[int]) -> npt.NDArray[np.bool_]:
        taken = np.zeros(len(self.files), np.bool_)
        taken[list(files)] = True
        return taken


def _columns(data: bytes, count: int) -> list[Any]:
    return [*np.frombuffer(data, np.int32).reshape(count, -1)]


def packed(resolved: Mapping[str, Resolved]) -> bytes:
    """A bundle's bytes."""
    paths, names = _Numbers(), _Numbers()
    files = [paths[path] for path in resolved]
    edges = [(file, edge) for file, one in enumerate(resolved.values()) for edge in one.edges]
    loose = [(file, name) for file, one in enumerate(resolved.values()) for name in one.loose]
    kinds = {kind: number for number, kind in enumerate(KINDS)}
    columns = (
        [file for file, _ in edges],
        [edge.symbol for _, edge in edges],
        [kinds[edge.kind] for _, edge in edges],
        [edge.line for _, edge in edges],
        [paths[edge.path] for _, edge in edges],
        [edge.target for _, edge in edges],
    )
    loose_columns = (
        [file for file, _ in loose],
        [one.symbol for _, one in loose],
        [kinds[one.kind] for _, one in loose],
        [one.line for _, one in loose],
        [names[one.name] for _, one in loose],
    )
    reached = [(file, [paths[path] for path in sorted(one.reached)]) for file, one in enumerate(resolved.values())]
    reached_columns = (
        list(chain.from_iterable([file] * len(mine) for file, mine in reached)),
        list(chain.from_iterable(mine for _, mine in reached)),
    )
    weights = np.array([edge.weight for _, edge in edges], np.float32)
    parts = (list(paths), list(names), _bytes(files), _bytes(columns), weights.tobytes())
    return marshal.dumps((*parts, _bytes(loose_columns), _bytes(reached_columns)), 4)


def _bytes(numbers: Any) -> bytes:
    return np.array(numbers, np.int32).tobytes()


class _Numbers(dict[str, int]):
    def __missing__(self, name: str) -> int:
        self[name] = number = len(self)
        return number
