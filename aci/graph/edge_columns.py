"""Edges as columns: those of files that were resolved together, a bundle."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.postings import Numbers
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

    def edges(self, files: Sequence[int], into: tuple[str, int] | None = None) -> Rows:
        """Those to one definition, by its path and index, if that is given."""
        taken = self._taken(files)[self._edges.file]
        if into:
            path = self.paths.index(into[0]) if into[0] in self.paths else -1
            taken &= (self._edges.path == path) & (self._edges.target == into[1])
        return Rows._make(column[taken] for column in self._edges)

    def loose(self, files: Sequence[int], name: str = "") -> LooseRows:
        """Those of one name, if that is given."""
        taken = self._taken(files)[self._loose.file]
        if name:
            taken &= self._loose.name == (self.names.index(name) if name in self.names else -1)
        return LooseRows._make(column[taken] for column in self._loose)

    def reaching(self, paths: Iterable[str]) -> set[str]:
        """Its files in whose resolution one of these paths had a say."""
        wanted = set(paths)
        meant = np.fromiter((path in wanted for path in self.paths), np.bool_, len(self.paths))
        file, path = self._reached
        return {self.files[number] for number in np.flatnonzero(np.bincount(file[meant[path]])).tolist()}

    def _taken(self, files: Sequence[int]) -> npt.NDArray[np.bool_]:
        taken = np.zeros(len(self.files), np.bool_)
        taken[list(files)] = True
        return taken


def _columns(data: bytes, count: int) -> list[Any]:
    return [*np.frombuffer(data, np.int32).reshape(count, -1)]


def packed(resolved: Mapping[str, Resolved]) -> bytes:
    """A bundle's bytes."""
    paths, names = Numbers(), Numbers()
    kinds = {kind: number for number, kind in enumerate(KINDS)}.__getitem__
    files = [paths[path] for path in resolved]
    all_edges = [one.edges for one in resolved.values()]
    edges = list(chain.from_iterable(all_edges))
    edge_columns = (
        _owners(all_edges),
        _ints(edge.symbol for edge in edges),
        _ints(kinds(edge.kind) for edge in edges),
        _ints(edge.line for edge in edges),
        _ints(paths[edge.path] for edge in edges),
        _ints(edge.target for edge in edges),
    )
    weights = np.fromiter((edge.weight for edge in edges), np.float32)
    all_loose = [one.loose for one in resolved.values()]
    loose = list(chain.from_iterable(all_loose))
    loose_columns = (
        _owners(all_loose),
        _ints(one.symbol for one in loose),
        _ints(kinds(one.kind) for one in loose),
        _ints(one.line for one in loose),
        _ints(names[one.name] for one in loose),
    )
    reached = [sorted(one.reached) for one in resolved.values()]
    reached_columns = (_owners(reached), _ints(paths[path] for path in chain.from_iterable(reached)))
    columns = (_ints(files), edge_columns, weights, loose_columns, reached_columns)
    return marshal.dumps((list(paths), list(names), *(np.array(one).tobytes() for one in columns)), 4)


def _owners(lists: Sequence[Sequence[object]]) -> Ints:
    """For each member of all the lists, the number of its list."""
    return np.repeat(np.arange(len(lists), dtype=np.int32), [len(one) for one in lists])


def _ints(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, np.int32)
