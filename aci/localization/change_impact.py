"""The places that a patch is likely to affect: callers of the changed code, similar definitions, and tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from aci.graph.code_graph import Graph
from aci.graph.name_lookup import is_test_file
from aci.graph.outline import FUNCTION, Location
from aci.graph.patch_impact import Edit, broken_callers, changed_definitions
from aci.graph.reachability import find_reaching_tests
from aci.graph.symbol_context import related_methods
from aci.localization.place_ranking import RankedPlace, RankedPlaces

W_CALLER, W_OVERRIDE, W_SIBLING, W_TEST, W_TOGETHER = 1.0, 0.7, 0.25, 0.5, 1.5
UNCHANGED = 0.4
"""Factor for methods that override, or are overridden by, a changed method whose signature is unchanged."""
MOST_SIBLINGS = 12
"""Names with more definitions than this are ignored."""

Reason = tuple[Location, float, str]


def find_impact(graph: Graph, edits: Sequence[Edit], together: Mapping[str, float], top: int = 10) -> RankedPlaces:
    """Return the places outside the patch that it is likely to affect, most likely first.

    `together` maps other files to the share of commits, from 0 to 1, in which they changed together with files of the
    patch.
    """
    changed = changed_definitions(graph, edits)
    inside = set(changed)
    found: dict[Location, dict[str, float]] = defaultdict(dict)
    reasons = [*_callers(graph, edits), *_overrides(graph, edits, changed), *_siblings(graph, changed)]
    reasons += _tests(graph, changed)
    patched = {edit.path for edit in edits}
    reasons += [
        (Location(path), W_TOGETHER * share, "often changes in the same commits") for path, share in together.items()
    ]
    for place, score, why in reasons:
        if place not in inside and not (place.symbol < 0 and place.path in patched):
            found[place][why] = max(score, found[place].get(why, 0.0))
    return _ranked(graph, found, top)


def _callers(graph: Graph, edits: Sequence[Edit]) -> Iterator[Reason]:
    for broken in broken_callers(graph, edits):
        for link in broken.callers:
            yield link.place, W_CALLER * link.weight, f"calls {broken.name} in line {link.line}: {broken.words}"


def _overrides(graph: Graph, edits: Sequence[Edit], changed: Sequence[Location]) -> Iterator[Reason]:
    """Yield methods that override a changed method, and methods that a changed method overrides."""
    with_new_signature = {broken.place for broken in broken_callers(graph, edits)}
    for place in changed:
        symbol = graph.symbol(place)
        if symbol is None or symbol.kind != FUNCTION or symbol.parent < 0:
            continue
        weight = W_OVERRIDE * (1.0 if place in with_new_signature else UNCHANGED)
        for up, word in ((False, "overrides"), (True, "is overridden by")):
            for other in related_methods(graph, place, up):
                yield other, weight, f"{word} {symbol.name}"


def _siblings(graph: Graph, changed: Sequence[Location]) -> Iterator[Reason]:
    """Yield other definitions with the same name; those in the same folder, or in a file with the same name, count
    more."""
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
            yield other, W_SIBLING * near / len(others) ** 0.5, f"has the same name as {symbol.name}"


def _tests(graph: Graph, changed: Sequence[Location]) -> Iterator[Reason]:
    source = {place: 1.0 for place in changed if not is_test_file(graph, place.path)}
    for path, reached in find_reaching_tests(graph, source).items():
        yield Location(path), W_TEST * reached.score, "tests it" if reached.hops == 1 else "tests a caller of it"


def _ranked(graph: Graph, found: Mapping[Location, Mapping[str, float]], top: int) -> RankedPlaces:
    """Return the places, most likely first, each with its strongest reasons first; a file's reasons include those of
    its functions."""
    functions = []
    files: dict[str, dict[str, float]] = defaultdict(dict)
    for place, reasons in found.items():
        files[place.path] |= {why: max(score, files[place.path].get(why, 0.0)) for why, score in reasons.items()}
        if symbol := graph.symbol(place):
            functions.append(RankedPlace(place.path, _score(reasons), _why(reasons), symbol.name, symbol.header))
    hits = [RankedPlace(path, _score(reasons), _why(reasons)) for path, reasons in files.items()]
    return RankedPlaces(_best(hits, top), _best(functions, top))


def _score(reasons: Mapping[str, float]) -> float:
    """Combine the scores of the reasons as independent probabilities."""
    left = 1.0
    for score in reasons.values():
        left *= 1 - min(score, 0.99)
    return round(1 - left, 4)


def _why(reasons: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(reasons, key=lambda why: (-reasons[why], why))[:4])


def _best(hits: Sequence[RankedPlace], top: int) -> tuple[RankedPlace, ...]:
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.path, hit.line))[:top])
