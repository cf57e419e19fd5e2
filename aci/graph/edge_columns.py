"""Column storage for the edges of the code graph. A bundle holds the edges of files that were resolved together."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.name_resolution import ResolvedReferences
from aci.graph.term_postings import Numbers

Ints = npt.NDArray[np.int32]
KINDS = ("call", "base", "use", "import")


class Rows(NamedTuple):
    """Edges of some of a bundle's files; `path` is an index into the bundle's paths, `file` an index into its files."""

    file: Ints
    symbol: Ints
    kind: Ints
    line: Ints
    path: Ints
    target: Ints
    weight: npt.NDArray[np.float32]


class LooseRows(NamedTuple):
    """Attributes of unknown receivers; `name` is an index into the bundle's names."""

    file: Ints
    symbol: Ints
    kind: Ints
    line: Ints
    name: Ints


class Bundle:
    """The edges of files that were resolved together.

    `files` were resolved; `paths` also contains the other files that affected the result.
    """

    def __init__(self, data: bytes) -> None:
        self.paths, self.names, files, edges, weights, loose, reached = marshal.loads(data)
        self.files: list[str] = [self.paths[path] for path in np.frombuffer(files, np.int32).tolist()]
        self._edges = Rows._make((*_columns(edges, 6), np.frombuffer(weights, np.float32)))
        self._loose = LooseRows(*_columns(loose, 5))
        self._reached = _columns(reached, 2)

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each file, by path."""
        return {path: number for number, path in enumerate(self.files)}

    def edges(self, files: Sequence[int], into: tuple[str, int] | None = None) -> Rows:
        """Return the edges of these files; with `into`, a path and an index, only the edges to that definition."""
        taken = self._flags(files)[self._edges.file]
        if into:
            path = self.paths.index(into[0]) if into[0] in self.paths else -1
            taken &= (self._edges.path == path) & (self._edges.target == into[1])
        return Rows._make(column[taken] for column in self._edges)

    def loose(self, files: Sequence[int], name: str = "") -> LooseRows:
        """Return the loose references of these files; with `name`, only those with that name."""
        taken = self._flags(files)[self._loose.file]
        if name:
            taken &= self._loose.name == (self.names.index(name) if name in self.names else -1)
        return LooseRows._make(column[taken] for column in self._loose)

    def reaching(self, paths: Iterable[str]) -> set[str]:
        """Return the files whose resolution depends on one of these paths."""
        wanted = set(paths)
        flags = np.fromiter((path in wanted for path in self.paths), np.bool_, len(self.paths))
        file, path = self._reached
        return {self.files[number] for number in np.flatnonzero(np.bincount(file[flags[path]])).tolist()}

    def _flags(self, files: Sequence[int]) -> npt.NDArray[np.bool_]:
        flags = np.zeros(len(self.files), np.bool_)
        flags[list(files)] = True
        return flags


def _columns(data: bytes, count: int) -> list[Any]:
    return [*np.frombuffer(data, np.int32).reshape(count, -1)]


def pack_edges(resolved: Mapping[str, ResolvedReferences]) -> bytes:
    """Serialize the edges of these files, given by path, as a bundle."""
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
    """Return, for each item of the concatenated lists, the number of the list that contains it."""
    return np.repeat(np.arange(len(lists), dtype=np.int32), [len(one) for one in lists])


def _ints(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, np.int32)
