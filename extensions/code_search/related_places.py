"""The places that a patch is likely to affect: callers and callees of the changed code, overrides, similar definitions,
tests, and places that changed together with it before.

Their signals are in `edit_signals.py`. `python -m benchmarks.related` fits the weights on one half of its instances and
prints the accuracy on the other half.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aci.graph.outline import CLASS, FUNCTION, Location
from aci.graph.patch_impact import Edit, changed_definitions, edits_between
from aci.localization.issue_localization import HistoryBase, LocalizationResult, ask_graph_and_history, text_of_edits
from aci.localization.place_ranking import RankedPlace, RankedPlaces, file_reader
from extensions.code_search import edit_signals
from extensions.code_search.edit_signals import PastChanges, Reason, find_reasons

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.history.commit_search import History
    from aci.localization.candidate_places import ReadFiles
    from aci.repository.file_blobs import Blobs

MOST_PAST_COMMITS = 60
"""Maximum number of earlier commits whose changed functions are read for a patch."""
WEIGHTS = {
    edit_signals.BREAKS: 0.9,
    edit_signals.CALLER: 0.2,
    edit_signals.CALLEE: 0.05,
    edit_signals.OVERRIDE: 0.2,
    edit_signals.SIBLING: 0.8,
    edit_signals.TEST: 0.5,
    edit_signals.TOGETHER: 0.6,
    edit_signals.COMMIT: 0.95,
    edit_signals.TEXT: 0.4,
    edit_signals.LITERAL: 0.95,
}
"""The weight of each kind of reason; the score of a place combines them as independent probabilities."""
FROM_FILE = 0.5
"""Share of its file's co-changes that counts for a function."""
MOST_REASONS = 4


def find_related_places(
    without: Blobs, patched: Blobs, before: HistoryBase, top: int = 10, say: Callable[[str], None] = lambda _: None
) -> LocalizationResult:
    """Return the other places that are likely to need a change, given the patch between two trees."""
    began = time.monotonic()
    edits = edits_between(without, patched)

    def question(graph: Graph, history: History) -> tuple[RankedPlaces, Mapping[str, str]]:
        past = past_changes(history, [edit.path for edit in edits], graph.paths)
        return find_impact(graph, edits, past, file_reader(graph, without), top), graph.left_out

    found = ask_graph_and_history(without, text_of_edits(edits), before, question, say)
    return LocalizationResult(*found, round(time.monotonic() - began, 3), has_lines=True)


def past_changes(history: History, paths: Sequence[str], present: Sequence[str]) -> PastChanges:
    """Return what the commits before the base changed together with these paths.

    A file's share is the maximum over the paths of the share of the path's changes in which it changed too.
    """
    shares: dict[str, float] = {}
    for others in history.together(paths, frozenset(present)).values():
        for path, share in others.items():
            shares[path] = max(share, shares.get(path, 0.0))
    functions = history.functions(history.newest_of(paths, MOST_PAST_COMMITS))
    return PastChanges({path: share for path, share in shares.items() if path not in paths}, [*functions.values()])


def find_impact(graph: Graph, edits: Sequence[Edit], past: PastChanges, read: ReadFiles, top: int = 10) -> RankedPlaces:
    """Return the places outside the patch that it is likely to affect, most likely first."""
    inside = {*changed_definitions(graph, edits), *(Location(edit.path) for edit in edits)}
    reasons = [one for one in find_reasons(graph, edits, past, read) if one.place not in inside]
    return rank_reasons(graph, reasons, top)


def rank_reasons(
    graph: Graph, reasons: Iterable[Reason], top: int, weights: Mapping[str, float] = WEIGHTS
) -> RankedPlaces:
    """Return the places, most likely first, each with its strongest reasons first; a file's reasons include those of
    its functions."""
    by_place: dict[Location, dict[str, Reason]] = defaultdict(dict)
    by_file: dict[str, dict[str, Reason]] = defaultdict(dict)
    for one in reasons:
        _keep_stronger(by_place[one.place], one)
        _keep_stronger(by_file[one.place.path], one)
    definitions: dict[str, list[RankedPlace]] = {FUNCTION: [], CLASS: []}
    for place, found in by_place.items():
        if symbol := graph.symbol(place):
            together = by_place.get(Location(place.path), {}).get(edit_signals.TOGETHER)
            own = found | ({together.kind: together._replace(value=together.value * FROM_FILE)} if together else {})
            hit = _ranked(own, weights, place.path, symbol.name, symbol.header, symbol.end)
            definitions[symbol.kind].append(hit)
    files = [_ranked(found, weights, path) for path, found in by_file.items()]
    return RankedPlaces(_best(files, top), _best(definitions[FUNCTION], top), _best(definitions[CLASS], top))


def combined_score(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Combine the values of a place's reasons, by kind, as independent probabilities; other kinds do not count."""
    left = 1.0
    for kind, value in values.items():
        left *= 1 - min(weights.get(kind, 0.0) * value, 0.99)
    return round(1 - left, 4)


def _keep_stronger(found: dict[str, Reason], one: Reason) -> None:
    if one.kind not in found or found[one.kind].value < one.value:
        found[one.kind] = one


def _ranked(
    found: Mapping[str, Reason], weights: Mapping[str, float], path: str, name: str = "", line: int = 0, end: int = 0
) -> RankedPlace:
    score = combined_score({one.kind: one.value for one in found.values()}, weights)
    strongest = sorted(found.values(), key=lambda one: (-weights[one.kind] * one.value, one.words))[:MOST_REASONS]
    lines = tuple((one.line, one.words) for one in strongest if one.line)
    return RankedPlace(path, score, tuple(one.words for one in strongest), name, line, end, "", lines)


def _best(hits: Sequence[RankedPlace], top: int) -> tuple[RankedPlace, ...]:
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.path, hit.line))[:top])
