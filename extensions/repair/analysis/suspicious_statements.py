"""Fault localization: suspicious statements, each with the reasons for suspecting it.

Several signals are combined by a logistic choice among the statements that failing tests run. See Xuan and Monperrus,
"Learning to combine multiple ranking metrics for fault localization", 2014. The score of a statement is its likelihood
of being the faulty one, relative to that of the likeliest.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import TYPE_CHECKING

from extensions.experiment.evaluator.spectrum import dstar, ochiai
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.repair.analysis.dynamic_slices import StatementFacts, slice_failure, statement_facts

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlace
    from extensions.experiment.evaluator.spectrum import Place, Spectrum, TracedTest

Read = Callable[[str], bytes | None]
WEIGHTS = {
    "ochiai": 1.0,
    "dstar": 1.3,
    "branch": 1.1,
    "raised": 2.0,
    "sliced": 0.5,
    "near": 2.3,
    "said": 1.2,
    "file": 0.5,
    "function": 1.0,
}
"""Weights of the signals in the logarithm of the odds, fitted on mutated packages by `python -m benchmarks.suspects`.
`file` and `function` come from an issue's text, which mutants do not have, so they are set by hand."""
COMMON = frozenset(
    {"self", "error", "where", "test", "object", "type", "list", "dict", "str", "int", "did", "raise", "the"}
)
FLOWS = 6
"""Maximum number of failing tests for which slices are computed; those with the fewest steps are chosen."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line, how suspicious it is (0 to 1), and short reasons."""

    path: str
    line: int
    score: float
    why: tuple[str, ...] = ()


@dataclass
class Signals:
    """The signals that the statement at a place is faulty: values from 0 to 1 by the signal's name, and reasons as
    text."""

    path: str
    line: int
    values: dict[str, float] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)

    def add(self, name: str, value: float, why: str = "") -> None:
        if value > 0:
            self.values[name] = max(value, self.values.get(name, 0.0))
            if why and why not in self.why:
                self.why.append(why)

    @property
    def odds(self) -> float:
        """The logarithm of the odds, up to a constant that is the same for the whole spectrum."""
        return sum(WEIGHTS[name] * value for name, value in self.values.items())


def find_suspects(
    spectrum: Spectrum, read: Read = lambda path: None, located: Sequence[RankedPlace] = ()
) -> list[Suspect]:
    """Return all statements that failing tests run, the most suspicious first.

    `read` returns a file of the base by its path, or None. If a file cannot be parsed, each of its lines counts as a
    statement. `located` are files and functions that the issue's text refers to (`aci/localization/place_ranking.py`).
    """
    found = collect_signals(spectrum, read, located)
    most = max((one.odds for one in found), default=0.0)
    return [
        Suspect(one.path, one.line, round(math.exp(one.odds - most), 6), tuple(one.why))
        for one in sorted(found, key=lambda one: (-one.odds, one.path, one.line))
    ]


def collect_signals(
    spectrum: Spectrum, read: Read = lambda path: None, located: Sequence[RankedPlace] = ()
) -> list[Signals]:
    """Return the signals of each statement that a failing test runs."""
    wanted = {path for path, _ in spectrum.suspicion}
    tests = {path for one in spectrum.failing for path in one.lines} - wanted
    trees = {path: tree for path in sorted(wanted | tests) if (tree := _parsed(read(path))) is not None}
    known = {path: statement_facts(tree) for path, tree in trees.items()}
    found: dict[Place, Signals] = {}
    for place in spectrum.suspicion:
        first = _first(known, place)
        found.setdefault(first, Signals(*first))
    _covered(spectrum, known, found)
    _branched(spectrum, known, found)
    _raised(spectrum.failing, trees, known, found)
    _depended(spectrum.failing, known, found)
    _named(spectrum.failing, trees, known, found)
    _located(located, trees, found)
    return list(found.values())


def _parsed(data: bytes | None) -> ast.Module | None:
    try:
        return None if data is None else parse_module(data)
    except UNREADABLE:
        return None


def _first(known: Mapping[str, Mapping[int, StatementFacts]], place: Place) -> Place:
    """Return the start of the statement that contains a place."""
    one = known.get(place[0], {}).get(place[1])
    return (place[0], one.first) if one else place


def _covered(
    spectrum: Spectrum, known: Mapping[str, Mapping[int, StatementFacts]], found: Mapping[Place, Signals]
) -> None:
    """Add signals for statements that failing tests run more often than passing ones."""
    stars = dstar([one.places() for one in spectrum.failing], [one.places() for one in spectrum.passing])
    failed, passed = (
        Counter(first for one in tests for first in {_first(known, place) for place in one.places()})
        for tests in (spectrum.failing, spectrum.passing)
    )
    for place, score in spectrum.suspicion.items():
        first = _first(known, place)
        why = f"runs in {failed[first]} of {_tests(len(spectrum.failing), 'failing')} and {passed[first]} passing"
        found[first].add("ochiai", score, why)
        found[first].add("dstar", stars[place])


def _branched(
    spectrum: Spectrum, known: Mapping[str, Mapping[int, StatementFacts]], found: Mapping[Place, Signals]
) -> None:
    """Add signals for statements after which failing tests take another branch than passing ones."""
    steps = ochiai([one.stepped() for one in spectrum.failing], [one.stepped() for one in spectrum.passing])
    ways: dict[Place, dict[int, float]] = defaultdict(dict)
    for (path, (last, line)), score in steps.items():
        first = _first(known, (path, abs(last)))
        if last > 0 and first in found and _first(known, (path, line)) != first:
            ways[first][line] = max(score, ways[first].get(line, 0.0))
    for first, after in ways.items():
        line, score = max(after.items(), key=lambda item: (item[1], -item[0]))
        goes = f"continues at line {line}" if line else "ends its function"
        why = f"in failing tests it {goes} more often than in passing ones"
        found[first].add("branch", score, why if score > found[first].values["ochiai"] else "")


def _raised(
    failing: Sequence[TracedTest],
    trees: Mapping[str, ast.Module],
    known: Mapping[str, Mapping[int, StatementFacts]],
    found: Mapping[Place, Signals],
) -> None:
    """Add signals for statements that raised, the calls that led to them, and each `try` whose handlers did not catch
    the exception."""
    handled = {
        (path, node.lineno)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and node.handlers
    }
    for test in failing:
        kind = test.said.partition(":")[0] or "an exception"
        for number, place in enumerate(test.raised):
            first = _first(known, place)
            if first not in found:
                continue
            found[first].add("raised", 0.3 if number else 1.0, f"{kind} raised {'through' if number else 'from'} here")
            one = known.get(place[0], {}).get(place[1])
            for around in ((place[0], line) for line in (one.above if one else ())):
                if around in handled and around in found:
                    found[around].add("raised", 0.3 if number else 0.7, f"its handlers do not catch {kind}")


def _depended(
    failing: Sequence[TracedTest], known: Mapping[str, Mapping[int, StatementFacts]], found: Mapping[Place, Signals]
) -> None:
    """Add signals for statements in the slices of failing tests, by the number of slices and the distance from the
    failure."""
    flows = sorted((test for test in failing if test.flow), key=lambda test: (len(test.flow), test.test))[:FLOWS]
    depths = [slice_failure(test, known) for test in flows]
    for first, one in found.items():
        inside = [depth[first] for depth in depths if first in depth]
        if inside:
            away = min(inside)
            what = "the failure depends on it" + (f", {away} steps away" if away > 1 else "")
            one.add("sliced", len(inside) / len(depths), what)
            one.add("near", 1 / (1 + away))


def _named(
    failing: Sequence[TracedTest],
    trees: Mapping[str, ast.Module],
    known: Mapping[str, Mapping[int, StatementFacts]],
    found: Mapping[Place, Signals],
) -> None:
    """Add signals for statements that contain a name or word from a failure's message."""
    said = {word for test in failing for word in re.findall(r"[A-Za-z_]\w{2,}", test.said.partition(":")[2])}
    said = {word for word in said if word.lower() not in COMMON and not iskeyword(word)}
    if not said:
        return
    for path, tree in trees.items():
        for line, word in _words(tree):
            first = _first(known, (path, line))
            if word in said and first in found:
                found[first].add("said", 1.0, f"the failure mentions `{word}`")


def _words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if node in docstrings:
            continue
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, word) for word in re.findall(r"\w{3,}", node.value[:200]))


def _located(located: Sequence[RankedPlace], trees: Mapping[str, ast.Module], found: Mapping[Place, Signals]) -> None:
    """Add signals for files and functions that the issue refers to; earlier ones count more."""
    for name, hits in (
        ("file", [hit for hit in located if not hit.name]),
        ("function", [hit for hit in located if hit.name]),
    ):
        for number, hit in enumerate(hits):
            lines = _span(trees.get(hit.path), hit.line) if hit.name else None
            for one in found.values():
                if one.path == hit.path and (lines is None or one.line in lines):
                    place = hit.name or hit.path
                    one.add(name, 1 / (1 + number), f"the issue mentions {place}")


def _span(tree: ast.Module | None, line: int) -> range:
    """Return the lines of the definition whose header is on the given line."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in ast.walk(tree) if tree else ():
        if (
            isinstance(node, kinds)
            and min([node.lineno, *(one.lineno for one in node.decorator_list)]) <= line <= node.lineno
        ):
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return range(line, line + 1)


def _tests(count: int, kind: str) -> str:
    return f"1 {kind} test" if count == 1 else f"{count} {kind} tests"
