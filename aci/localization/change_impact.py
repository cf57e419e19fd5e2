"""What else is likely to need a change, for a patch: who calls what it changes, what is its like, what tests it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from aci.graph.edits import Edit, broken_callers, touched
from aci.graph.graph import Graph
from aci.graph.naming import is_test_file
from aci.graph.outline import FUNCTION, Place
from aci.graph.reach import reaching_tests
from aci.graph.surroundings import kin
from aci.localize import Hit, Places

W_CALLER, W_OVERRIDE, W_SIBLING, W_TEST, W_TOGETHER = 1.0, 0.7, 0.25, 0.5, 1.5
UNCHANGED = 0.4
"""What a method's kin count where its signature stays."""
MOST_SIBLINGS = 12
"""A name that more definitions have says nothing."""

Reason = tuple[Place, float, str]


def consequences(graph: Graph, edits: Sequence[Edit], together: Mapping[str, float], top: int = 10) -> Places:
    """Places outside the patch that it is likely to concern, likeliest first; `together` says of other files how
    often they changed with those of the patch, from 0 to 1."""
    changed = touched(graph, edits)
    inside = set(changed)
    found: dict[Place, dict[str, float]] = defaultdict(dict)
    reasons = [*_callers(graph, edits), *_kin(graph, edits, changed), *_siblings(graph, changed)]
    reasons += _tests(graph, changed)
    patched = {edit.path for edit in edits}
    reasons += [(Place(path), W_TOGETHER * share, "changes with it") for path, share in together.items()]
    for place, score, why in reasons:
        if place not in inside and not (place.symbol < 0 and place.path in patched):
            found[place][why] = max(score, found[place].get(why, 0.0))
    return _ranked(graph, found, top)


def _callers(graph: Graph, edits: Sequence[Edit]) -> Iterator[Reason]:
    for broken in broken_callers(graph, edits):
        for link in broken.callers:
            yield link.place, W_CALLER * link.weight, f"calls {broken.name} in line {link.line}: {broken.words}"


def _kin(graph: Graph, edits: Sequence[Edit], changed: Sequence[Place]) -> Iterator[Reason]:
    """Methods that override a changed one, or that it overrides."""
    resigned = {broken.place for broken in broken_callers(graph, edits)}
    for place in changed:
        symbol = graph.symbol(place)
        if symbol is None or symbol.kind != FUNCTION or symbol.parent < 0:
            continue
        weight = W_OVERRIDE * (1.0 if place in resigned else UNCHANGED)
        for up, word in ((False, "overrides"), (True, "is overridden by")):
            for other in kin(graph, place, up):
                yield other, weight, f"{word} {symbol.name}"


def _siblings(graph: Graph, changed: Sequence[Place]) -> Iterator[Reason]:
    """Functions of the same name elsewhere: in files of the same name, or beside the changed one."""
    for place in changed:
        symbol = graph.symbol(place)
        if symbol is None or is_test_file(graph, place.path) or symbol.bare.startswith("__"):
            continue
        others = [
            other for other in graph.defining(symbol.bare) if other != place and not is_test_file(graph, other.path)
        ]
        here = PurePosixPath(place.path)
        for other in others if len(others) <= MOST_SIBLINGS else ():
            there = PurePosixPath(other.path)
            near = 1.0 if there.parent == here.parent or there.name == here.name else 0.5
            yield other, W_SIBLING * near / len(others) ** 0.5, f"named like {symbol.name}"


def _tests(graph: Graph, changed: Sequence[Place]) -> Iterator[Reason]:
    source = {place: 1.0 for place in changed if not is_test_file(graph, place.path)}
    for path, reached in reaching_tests(graph, source).items():
        yield Place(path), W_TEST * reached.score, "tests it" if reached.hops == 1 else "tests what uses it"


def _ranked(graph: Graph, found: Mapping[Place, Mapping[str, float]], top: int) -> Places:
    """Hits with their strongest reasons first; a file has those of its best functions too."""
    functions = []
    files: dict[str, dict[str, float]] = defaultdict(dict)
    for place, reasons in found.items():
        files[place.path] |= {why: max(score, files[place.path].get(why, 0.0)) for why, score in reasons.items()}
        if symbol := graph.symbol(place):
            functions.append(Hit(place.path, _score(reasons), _why(reasons), symbol.name, symbol.header))
    hits = [Hit(path, _score(reasons), _why(reasons)) for path, reasons in files.items()]
    return Places(_best(hits, top), _best(functions, top))


def _score(reasons: Mapping[str, float]) -> float:
    """The strongest reason, and of the others what it leaves open."""
    left = 1.0
    for score in reasons.values():
        left *= 1 - min(score, 0.99)
    return round(1 - left, 4)


def _why(reasons: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(reasons, key=lambda why: (-reasons[why], why))[:4])


def _best(hits: Sequence[Hit], top: int) -> tuple[Hit, ...]:
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.path, hit.line))[:top])
