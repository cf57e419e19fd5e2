"""Signals for places that a patch leaves unchanged: relations in the code graph, text like that of the changed lines,
and earlier commits that changed these places together.

The choice of signals follows CoEdPilot (arXiv 2408.01733), which estimates how an edit propagates from dependencies and
from the similarity of the text; here no model is trained.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aci.graph.code_graph import definition_at_line, is_test_file
from aci.graph.file_outline import parse_symbols
from aci.graph.outline import FUNCTION, Location
from aci.graph.patch_impact import BreakingChange, Edit, broken_callers, changed_definitions, find_reaching_tests
from aci.graph.symbol_context import related_methods
from aci.issue_text.issue_mentions import WORD, split_identifier

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.localization.candidate_places import ReadFiles
    from aci.localization.signals import Floats

BREAKS, CALLER, CALLEE, OVERRIDE, SIBLING = "breaks", "caller", "callee", "override", "sibling"
TEST, TOGETHER, COMMIT, TEXT, LITERAL = "test", "together", "commit", "text", "literal"
MOST_CHANGED = 30
"""Maximum number of changed definitions whose relations are searched."""
MOST_SIBLINGS = 12
"""Names with more definitions than this are ignored."""
MOST_TERMS, MOST_SIMILAR = 60, 60
MOST_COMMON = 0.02
"""Share of the definitions above which a term is too common to count."""
LITERAL_TEXT = re.compile(r""""([^"\\\n]{4,80})"|'([^'\\\n]{4,80})'""")
MOST_LITERALS, MOST_HOLDERS = 8, 40
DOUBT = 2
"""Number of commits added to those of a function, so that a single common commit gives no high share."""


class Reason(NamedTuple):
    """Why a place may need a change: the kind of the signal, its value from 0 to 1, words, and the line in the place
    that the words are about (0 for none)."""

    place: Location
    kind: str
    value: float
    words: str
    line: int = 0


class PastChanges(NamedTuple):
    """What earlier commits say about the files of a patch.

    `together` maps other files to the share of commits, from 0 to 1, in which they changed together with files of the
    patch. `commits` has, for each earlier commit that changed such a file, the functions that it changed by path.
    """

    together: Mapping[str, float]
    commits: Sequence[Mapping[str, Sequence[str]]] = ()


def find_reasons(graph: Graph, edits: Sequence[Edit], past: PastChanges, read: ReadFiles) -> Iterator[Reason]:
    """Yield the reasons for all places, also for changed ones."""
    changed = changed_definitions(graph, edits)
    source = [place for place in changed if not is_test_file(graph, place.path)][:MOST_CHANGED]
    breaking, resigned = broken_callers(graph, edits), _new_signatures(graph, edits)
    broken = list(_broken(graph, breaking, resigned))
    yield from broken
    yield from _neighbours(graph, source, {one.place for one in broken})
    yield from _overrides(graph, source, {*resigned, *(one.place for one in breaking)})
    yield from _siblings(graph, source)
    for path, reached in find_reaching_tests(graph, dict.fromkeys(source, 1.0)).items():
        words = "tests it" if reached.hops == 1 else "tests a caller of it"
        yield Reason(Location(path), TEST, reached.score, words)
    for path, share in past.together.items():
        yield Reason(Location(path), TOGETHER, share, "often changes in the same commits")
    yield from _changed_by_commits(graph, changed, past.commits)
    yield from _similar_text(graph, edits, source)
    yield from _same_literals(graph, edits, read)


def _broken(graph: Graph, breaking: Sequence[BreakingChange], resigned: Sequence[Location]) -> Iterator[Reason]:
    """Yield the callers of functions whose signature changes."""
    for broken in breaking:
        for link in broken.callers:
            words = f"calls {broken.name} in line {link.line}: {broken.words}"
            yield Reason(link.place, BREAKS, link.weight, words, link.line)
    for place in resigned:
        symbol = graph.symbol(place)
        for link in graph.callers(place):
            if link.kind in ("call", "use") and symbol:
                words = f"uses {symbol.name} in line {link.line}, whose signature changes"
                yield Reason(link.place, BREAKS, link.weight, words, link.line)


def _new_signatures(graph: Graph, edits: Iterable[Edit]) -> list[Location]:
    """Return the definitions whose signature changes in files whose languages `broken_callers` does not know."""
    found = []
    for edit in edits:
        if edit.path not in graph.number or edit.path.endswith((".py", ".pyi")):
            continue
        after: dict[str, set[str]] = defaultdict(set)
        for symbol in parse_symbols(edit.path, edit.after):
            after[symbol.name].add(symbol.signature)
        for number, symbol in enumerate(graph.outline(edit.path).symbols):
            if symbol.kind == FUNCTION and symbol.signature not in after[symbol.name]:
                found.append(Location(edit.path, number))
    return found


def _neighbours(graph: Graph, changed: Sequence[Location], broken: Collection[Location]) -> Iterator[Reason]:
    """Yield what refers to a changed definition, without `broken` callers, and what it refers to."""
    for place in changed:
        symbol = graph.symbol(place)
        name = symbol.name if symbol else place.path
        for link in graph.callers(place):
            if link.place in broken:
                continue
            verb = "calls" if link.kind == "call" else "uses"
            yield Reason(link.place, CALLER, link.weight, f"{verb} {name} in line {link.line}", link.line)
        for link in graph.callees(place) if symbol else ():
            other = graph.symbol(link.place)
            verb = "called" if link.kind == "call" else "used"
            yield Reason(link.place, CALLEE, link.weight, f"is {verb} by {name}", other.header if other else 0)


def _overrides(graph: Graph, changed: Sequence[Location], with_new_signature: Collection[Location]) -> Iterator[Reason]:
    """Yield methods that override a changed method, and methods that a changed method overrides."""
    for place in changed:
        symbol = graph.symbol(place)
        if symbol is None or symbol.kind != FUNCTION or symbol.parent < 0:
            continue
        value = 1.0 if place in with_new_signature else 0.5
        for up, word in ((False, "overrides"), (True, "is overridden by")):
            for other in related_methods(graph, place, up):
                yield Reason(other, OVERRIDE, value, f"{word} {symbol.name}")


def _siblings(graph: Graph, changed: Sequence[Location]) -> Iterator[Reason]:
    """Yield other definitions with the same name; those in the same folder, or in a file with the same name, count
    more."""
    for place in changed:
        symbol = graph.symbol(place)
        if symbol is None or symbol.bare.startswith("__"):
            continue
        others = [
            other for other in graph.defining(symbol.bare) if other != place and not is_test_file(graph, other.path)
        ]
        here = PurePosixPath(place.path)
        for other in others if len(others) <= MOST_SIBLINGS else ():
            there = PurePosixPath(other.path)
            near = 1.0 if there.parent == here.parent or there.name == here.name else 0.5
            yield Reason(other, SIBLING, near / len(others) ** 0.5, f"has the same name as {symbol.name}")


def _changed_by_commits(
    graph: Graph, changed: Sequence[Location], commits: Sequence[Mapping[str, Sequence[str]]]
) -> Iterator[Reason]:
    """Yield functions that earlier commits changed together with the changed functions, or with others of their files.

    A commit counts less for a changed function's file than for the function, and less if it changed many functions.
    """
    names = {(place.path, symbol.name) for place in changed if (symbol := graph.symbol(place))}
    paths = {place.path for place in changed}
    shares: dict[tuple[str, str], float] = defaultdict(float)
    total = 0.0
    for commit in commits:
        functions = {(path, name) for path, own in commit.items() for name in own}
        weight = 1.0 if names & functions else 0.3 if any(path in paths for path in commit) else 0.0
        total += weight
        for one in functions - names:
            shares[one] += weight / math.sqrt(len(functions))
    for (path, name), share in shares.items():
        for number, symbol in enumerate(graph.outline(path).symbols if path in graph.number else ()):
            if symbol.name == name:
                words = f"changed in the same commits as {'it' if len(names) != 1 else next(iter(names))[1]}"
                yield Reason(Location(path, number), COMMIT, share / (total + DOUBT), words)


def _similar_text(graph: Graph, edits: Sequence[Edit], changed: Sequence[Location]) -> Iterator[Reason]:
    """Yield the definitions with the most of the rare words of the changed lines, weighted by their rarity."""
    counts: Counter[str] = Counter()
    for edit in edits:
        for line in edit.changed_text():
            counts.update({term for word in WORD.findall(line) for term in split_identifier(word)})
    for place in changed:
        if symbol := graph.symbol(place):
            counts.update(split_identifier(symbol.bare))
    nodes = len(graph.file)
    scores: Floats = np.zeros(nodes)
    rarity: dict[str, float] = {}
    holders = {}
    for term, found in graph.holding(sorted(counts)).items():
        common = len(found.documents)
        if common <= max(MOST_COMMON * nodes, 5):
            rarity[term] = math.log(1 + (nodes - common + 0.5) / (common + 0.5)) * (1 + math.log(counts[term]))
            holders[term] = found
    for term in sorted(rarity, key=lambda term: (-rarity[term], term))[:MOST_TERMS]:
        documents, code, _, name = holders[term]
        scores[documents] += rarity[term] * np.minimum(code + 2.0 * name, 3) / 3
    lengths = graph.code_length
    scores /= np.sqrt(1 + lengths / max(float(lengths.mean()), 1.0))
    scores[[graph.node(place) for place in changed]] = 0.0
    best = float(scores.max(initial=0.0))
    for node in (-scores).argsort(kind="stable")[:MOST_SIMILAR].tolist():
        if scores[node] > 0:
            shared = [term for term in rarity if node in holders[term].documents]
            shared.sort(key=lambda term: (-rarity[term], -len(term), term))
            words = f"has words of the changed lines: {', '.join(shared[:3])}"
            yield Reason(graph.place(node), TEXT, min(1.0, float(scores[node]) / best), words)


def _same_literals(graph: Graph, edits: Sequence[Edit], read: ReadFiles) -> Iterator[Reason]:
    """Yield definitions with a string literal that the patch changes, as far as its words are rare."""
    literals = {
        match[1] or match[2]: edit.path
        for edit in edits
        for line in edit.changed_text(removed_only=True)
        for match in LITERAL_TEXT.finditer(line)
    }
    for literal in sorted(literals, key=lambda one: (-len(one), one))[:MOST_LITERALS]:
        terms = {term for word in WORD.findall(literal) for term in split_identifier(word)}
        found = graph.holding(sorted(terms))
        if not terms or len(found) < len(terms):
            continue
        nodes = set.intersection(*({*one.documents.tolist()} for one in found.values()))
        paths = sorted({graph.paths[graph.file[node]] for node in nodes})
        if len(nodes) > MOST_HOLDERS:
            continue
        places: dict[Location, int] = {}
        for path, data in read(paths).items():
            for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
                if literal in line:
                    places.setdefault(definition_at_line(graph, path, number), number)
        for place, number in places.items():
            words = f"has the text {literal!r} in line {number}, which the patch changes"
            yield Reason(place, LITERAL, 1 / math.sqrt(len(places)), words, number)
