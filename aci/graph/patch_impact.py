"""What a patch touches, seen from the tree before it: lines, definitions, and who calls what it changes.

Lines that are named are those of the tree after the patch; the graph that is asked is that of the tree before.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from aci.graph.blobs import Blobs
from aci.graph.outline import Place
from aci.graph.signatures import breaking_changes

if TYPE_CHECKING:
    from aci.graph.graph import Graph, Link

SURE = 0.3
"""The weight of a reference from which on it is told: below it too many others may be meant."""


@dataclass(frozen=True)
class Edit:
    """A file before and after; empty where there is none."""

    path: str
    before: str
    after: str

    @cached_property
    def _pieces(self) -> list[tuple[str, int, int, int, int]]:
        """What is equal and what is not, as difflib says it; what both share at their ends is left out of the work."""
        old, new = self.before.splitlines(), self.after.splitlines()
        head = _shared(old, new)
        tail = _shared(old[head:][::-1], new[head:][::-1])
        matcher = difflib.SequenceMatcher(None, old[head : len(old) - tail], new[head : len(new) - tail])
        middle = [(tag, a + head, b + head, c + head, d + head) for tag, a, b, c, d in matcher.get_opcodes()]
        ends = ("equal", len(old) - tail, len(old), len(new) - tail, len(new))
        return [("equal", 0, head, 0, head), *middle, ends]

    @cached_property
    def lines(self) -> list[tuple[int, int]]:
        """The spans of lines, from 1 and inclusive, that change; an insertion is the lines on both sides of it."""
        spans = [(a + 1, b) if b > a else (a, a + 1) for tag, a, b, _, _ in self._pieces if tag != "equal"]
        return [(max(first, 1), last) for first, last in spans]

    def moved(self, line: int) -> int:
        """Where a line stands now; 0 for one that was changed or taken out."""
        for tag, first, last, now, _ in self._pieces:
            if tag == "equal" and first < line <= last:
                return now + line - first
        return 0


def edits_between(before: Blobs, after: Blobs) -> list[Edit]:
    """The files that differ, links and what is too large or no text left out."""
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


def _shared(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(old), len(new)))


class Broken(NamedTuple):
    """A definition whose callers may have to follow: what changes, in words, and those that the patch leaves alone."""

    place: Place
    name: str
    words: str
    callers: tuple[Link, ...]
    """With their lines after the patch."""


def touched(graph: Graph, edits: Iterable[Edit]) -> list[Place]:
    """The definitions whose lines a patch changes, the innermost of each line; else the file."""
    found: dict[Place, None] = {}
    for edit in edits:
        if edit.path not in graph.number:
            continue
        symbols = graph.outline(edit.path).symbols
        for first, last in edit.lines:
            inside = [n for n, one in enumerate(symbols) if one.line <= last and first <= one.end]
            parents = {symbols[n].parent for n in inside}
            found.update(dict.fromkeys(Place(edit.path, n) for n in inside if n not in parents))
            if not inside:
                found[Place(edit.path)] = None
    return list(found)


def broken_callers(graph: Graph, edits: Sequence[Edit]) -> list[Broken]:
    """Functions whose signature changes so that a call may break, with who calls them outside the patch."""
    by_path = {edit.path: edit for edit in edits}
    found = []
    for edit in edits:
        changes = breaking_changes(edit.before, edit.after) if edit.path.endswith((".py", ".pyi")) else {}
        known = graph.outline(edit.path).symbols if edit.path in graph.number else ()
        for n, symbol in enumerate(known):
            if words := changes.pop(symbol.name, ""):
                callers = _untouched(by_path, _callers(graph, Place(edit.path, n)))
                found += [Broken(Place(edit.path, n), symbol.name, words, callers)] if callers else []
    return found


def _callers(graph: Graph, place: Place) -> list[Link]:
    """Who calls a function; who makes an instance of its class, if it is the constructor."""
    links = [link for link in graph.callers(place) if link.kind in ("call", "use")]
    symbol = graph.symbol(place)
    if symbol and symbol.bare == "__init__" and symbol.parent >= 0:
        known = {(link.place, link.line) for link in links}
        made = [link for link in graph.callers(Place(place.path, symbol.parent)) if link.kind == "call"]
        links += [link for link in made if (link.place, link.line) not in known]
    return [link for link in links if link.weight >= SURE]


def _untouched(edits: dict[str, Edit], links: Iterable[Link]) -> tuple[Link, ...]:
    moved = (
        link._replace(line=edits[link.place.path].moved(link.line)) if link.place.path in edits else link
        for link in links
    )
    return tuple(link for link in moved if link.line)
