"""The effect of a patch: changed lines and definitions, and the callers of changed functions.

The graph is that of the tree before the patch. Line numbers of callers refer to the tree after the patch.

Direct and indirect callers of a definition are found by calls, uses, inheritance and imports, followed backwards.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from aci.graph.code_graph import Graph, Nodes, is_test_file
from aci.graph.edge_columns import KINDS
from aci.graph.outline import Location
from aci.graph.signature_changes import breaking_changes
from aci.repository.file_blobs import Blobs

if TYPE_CHECKING:
    from aci.graph.code_graph import Link

LEAST_WEIGHT = 0.3
"""Minimum weight of a reported reference; references below it are too ambiguous."""


@dataclass(frozen=True)
class Edit:
    """The content of a file before and after the patch; "" if the file does not exist."""

    path: str
    before: str
    after: str

    @cached_property
    def pieces(self) -> list[tuple[str, int, int, int, int]]:
        """The opcodes of difflib, computed without the equal lines at the start and the end to save time."""
        old, new = self.before.splitlines(), self.after.splitlines()
        head = _common_prefix(old, new)
        tail = _common_prefix(old[head:][::-1], new[head:][::-1])
        matcher = difflib.SequenceMatcher(None, old[head : len(old) - tail], new[head : len(new) - tail])
        middle = [(tag, a + head, b + head, c + head, d + head) for tag, a, b, c, d in matcher.get_opcodes()]
        ends = ("equal", len(old) - tail, len(old), len(new) - tail, len(new))
        return [("equal", 0, head, 0, head), *middle, ends]

    @cached_property
    def lines(self) -> list[tuple[int, int]]:
        """The changed spans of lines, counted from 1 and inclusive; the span of an insertion is the lines on both sides
        of it."""
        spans = [(a + 1, b) if b > a else (a, a + 1) for tag, a, b, _, _ in self.pieces if tag != "equal"]
        return [(max(first, 1), last) for first, last in spans]

    def changed_text(self, removed_only: bool = False) -> list[str]:
        """Return the lines that are removed and, unless `removed_only`, those that are added."""
        old, new = self.before.splitlines(), self.after.splitlines()
        pieces = [(a, b, c, d) for tag, a, b, c, d in self.pieces if tag != "equal"]
        removed = [line for a, b, _, _ in pieces for line in old[a:b]]
        return removed if removed_only else removed + [line for _, _, c, d in pieces for line in new[c:d]]

    def moved(self, line: int) -> int:
        """Return a line's number after the patch; 0 if the line was changed or removed."""
        for tag, first, last, now, _ in self.pieces:
            if tag == "equal" and first < line <= last:
                return now + line - first
        return 0


def edits_between(before: Blobs, after: Blobs) -> list[Edit]:
    """Return the files that differ, except links, binary files and files that are too large."""
    old, new = _files(before), _files(after)
    paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    read = {id: data for blobs, ids in ((before, old), (after, new)) for id, data in _read(blobs, ids, paths)}
    texts = [(path, read.get(old.get(path, ""), ""), read.get(new.get(path, ""), "")) for path in paths]
    return [Edit(path, was, now) for path, was, now in texts if was is not None and now is not None]


def _files(blobs: Blobs) -> dict[str, str]:
    return {path: id for path, mode, id in blobs.files() if mode.startswith("100")}


def _read(blobs: Blobs, ids: Mapping[str, str], paths: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    wanted = [ids[path] for path in paths if path in ids]
    for id, data in zip(wanted, blobs.read(wanted), strict=True):
        yield id, None if data is None or b"\0" in data else data.decode("utf-8", "replace")


def _common_prefix(old: Sequence[str], new: Sequence[str]) -> int:
    """Return the number of lines at the start that are equal in both."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(old), len(new)))


class BreakingChange(NamedTuple):
    """A definition with a breaking change, which `words` describes, and its callers that the patch leaves unchanged."""

    place: Location
    name: str
    words: str
    callers: tuple[Link, ...]
    """Links whose line numbers refer to the tree after the patch."""


def changed_definitions(graph: Graph, edits: Iterable[Edit]) -> list[Location]:
    """Return the innermost definitions that enclose the lines that a patch changes; the file for lines outside of all
    definitions."""
    found: dict[Location, None] = {}
    for edit in edits:
        if edit.path not in graph.number:
            continue
        symbols = graph.outline(edit.path).symbols
        for first, last in edit.lines:
            inside = [n for n, one in enumerate(symbols) if one.line <= last and first <= one.end]
            parents = {symbols[n].parent for n in inside}
            found.update(dict.fromkeys(Location(edit.path, n) for n in inside if n not in parents))
            if not inside:
                found[Location(edit.path)] = None
    return list(found)


def users_of_changes(graph: Graph, edits: Sequence[Edit]) -> list[Location]:
    """Return the definitions outside of a patch and of tests that refer to what it changes, or to the classes of that;
    for each changed place, the surest first."""
    from aci.graph.code_graph import is_test_file

    changed = changed_definitions(graph, edits)
    classes = [place._replace(symbol=symbol.parent) for place in changed if (symbol := graph.symbol(place))]
    targets = dict.fromkeys(place for place in [*changed, *classes] if place.symbol >= 0)
    found: dict[Location, None] = {}
    for target in targets:
        links = [link for link in graph.callers(target) if link.weight >= LEAST_WEIGHT and link.place.symbol >= 0]
        found |= dict.fromkeys(link.place for link in links if not is_test_file(graph, link.place.path))
    return [place for place in found if place not in targets]


def broken_callers(graph: Graph, edits: Sequence[Edit]) -> list[BreakingChange]:
    """Return functions whose new signature may break a call, with the callers that the patch does not change."""
    by_path = {edit.path: edit for edit in edits}
    found = []
    for edit in edits:
        changes = breaking_changes(edit.before, edit.after) if edit.path.endswith((".py", ".pyi")) else {}
        known = graph.outline(edit.path).symbols if edit.path in graph.number else ()
        for n, symbol in enumerate(known):
            if words := changes.pop(symbol.name, ""):
                callers = _unchanged_callers(by_path, _callers(graph, Location(edit.path, n)))
                found += [BreakingChange(Location(edit.path, n), symbol.name, words, callers)] if callers else []
    return found


def _callers(graph: Graph, place: Location) -> list[Link]:
    """Return the callers of a function; for a constructor also those that create an instance of its class."""
    links = [link for link in graph.callers(place) if link.kind in ("call", "use")]
    symbol = graph.symbol(place)
    if symbol and symbol.bare == "__init__" and symbol.parent >= 0:
        known = {(link.place, link.line) for link in links}
        creations = [link for link in graph.callers(Location(place.path, symbol.parent)) if link.kind == "call"]
        links += [link for link in creations if (link.place, link.line) not in known]
    return [link for link in links if link.weight >= LEAST_WEIGHT]


def _unchanged_callers(edits: dict[str, Edit], links: Iterable[Link]) -> tuple[Link, ...]:
    moved = (
        link._replace(line=edits[link.place.path].moved(link.line)) if link.place.path in edits else link
        for link in links
    )
    return tuple(link for link in moved if link.line)


HOPS = 4
PER_HOP = 0.6
TO_CLASS = 0.4
"""Weight for the class that encloses a definition: code that uses the class may reach the definition."""
TO_FILE = 0.15
"""Weight for a definition's file: code that imports the file may reach the definition."""
KIND_WEIGHTS = {"call": 1.0, "base": 0.7, "use": 0.8, "import": 0.4}
LEAST = 0.02

Scores = npt.NDArray[np.float64]


class Reached(NamedTuple):
    """The confidence, from 0 to 1, that a place reaches the given places, and the minimum number of references on the
    way."""

    score: float
    hops: int


def find_callers(graph: Graph, places: Mapping[Location, float], hops: int = HOPS) -> dict[Location, Reached]:
    """Return all places that reach the given places; these have weights from 0 to 1 and are included with 0 hops."""
    scores, distance = _spread(graph, {graph.node(place): weight for place, weight in places.items()}, hops)
    found = np.flatnonzero(scores >= LEAST).tolist()
    return {graph.place(node): Reached(float(scores[node]), int(distance[node])) for node in found}


def find_reaching_tests(graph: Graph, places: Mapping[Location, float], hops: int = HOPS) -> dict[str, Reached]:
    """Return the test files that reach these places, in descending order of score.

    The score of a file is that of its highest-scoring test, plus a little for its other tests.
    """
    found: dict[str, list[Reached]] = {}
    for place, reached in find_callers(graph, places, hops).items():
        if reached.hops and is_test_file(graph, place.path):
            found.setdefault(place.path, []).append(reached)
    files = {path: _combined(routes) for path, routes in found.items()}
    return dict(sorted(files.items(), key=lambda item: (-item[1].score, item[0])))


def _combined(routes: Iterable[Reached]) -> Reached:
    routes = list(routes)
    best = max(route.score for route in routes)
    more = sum(route.score for route in routes) - best
    return Reached(best + 0.2 * best * more / (1 + more), min(route.hops for route in routes))


def _spread(graph: Graph, starts: Mapping[int, float], hops: int) -> tuple[Scores, Nodes]:
    """Return for each node the confidence that it reaches the starting nodes, and the number of hops."""
    edges = graph.edges()
    weight = edges.weight * np.array([KIND_WEIGHTS[kind] for kind in KINDS])[edges.kind] * PER_HOP
    inner = np.flatnonzero(graph.is_method)
    scores = np.zeros(len(graph.file))
    distance = np.zeros(len(graph.file), np.int64)

    def raise_scores(ends: Nodes, values: Scores, hop: int) -> None:
        fresh = scores == 0
        np.maximum.at(scores, ends, values)
        distance[fresh & (scores > 0)] = hop

    for start, share in starts.items():
        scores[start] = max(scores[start], share)
        raise_scores(graph.first[graph.file[[start]]], np.array([TO_FILE * share]), 0)
    for hop in range(1, hops + 1):
        raise_scores(graph.parent[inner], scores[inner] * TO_CLASS, hop - 1)
        raise_scores(edges.source, scores[edges.target] * weight, hop)
    return scores, distance
