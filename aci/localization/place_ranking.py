"""Ranking of the places that are most likely to need a change to fix an issue, without a model.

Candidates come from the code graph's postings, the places that the text names, and the commits before the base. Signals
score them with values between 0 and 1 and reasons (`candidate_places.py`), and fitted weights order them: a candidate's
score is their weighted sum, and the signals that contribute most are the
reasons.

`benchmarks/fit_localization.py` fits the weights and writes them to `weights.json`. The weights of signals that need a
run of the issue's example are set by hand, since few of the issues used for fitting have an example that runs.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.issue_text.issue_snippets import SnippetTrace
    from aci.localization.candidate_places import FileCandidates, ReadFiles, SymbolCandidates
    from aci.localization.past_changes import Commits
    from aci.repository.file_blobs import Blobs
    from trajectories.records import Issue

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SMALLEST = 0.05
"""The value that counts as 0 on a logarithmic scale."""
RANGE = 8.0


@dataclass(slots=True)
class Signal:
    """`values` holds a value for each candidate, 0 by default; `why` holds the reasons for some candidates, and
    `common` is the reason for the others."""

    values: Floats
    why: dict[int, str] = field(default_factory=dict)
    common: str = ""

    @staticmethod
    def none(candidates: int) -> Signal:
        return Signal(np.zeros(candidates))

    def raise_to(self, candidate: int, value: float, why: str) -> None:
        """Raise a candidate's value to at least this one; the reason for the highest value is kept."""
        if value > self.values[candidate]:
            self.values[candidate] = value
            self.why[candidate] = why

    def reason(self, candidate: int) -> str:
        return self.why.get(candidate, self.common)


Signals = Mapping[str, Signal]


@dataclass(frozen=True, slots=True)
class IssueWords:
    """The words of an issue in lower case, with their weights.

    `title` and `prose` are those of its title and of its text outside examples and tracebacks, `names` the whole
    identifiers in it, `all` those of the whole text.
    """

    title: Mapping[str, float]
    all: Mapping[str, float]
    prose: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, float] = field(default_factory=dict)


def normalise(values: Floats) -> Floats:
    """Return the values divided by the greatest one."""
    greatest = values.max(initial=0.0)
    return values / greatest if greatest > 0 else values


def log_scale(values: Floats) -> Floats:
    """Return values between 0 and 1 on a logarithmic scale, on which small values differ more."""
    scaled: Floats = np.log(values + SMALLEST) / -np.log(SMALLEST) + 1
    return scaled


def below_best(scores: Floats) -> Floats:
    """Return 1 for the greatest score, less for lower ones, and 0 for those that are lower by RANGE or more."""
    return 1 + np.maximum(scores - scores.max(initial=-np.inf), -RANGE) / RANGE


FILE_SIGNALS, FUNCTION_SIGNALS = "files", "functions"
BY_HAND = {FILE_SIGNALS: {"ran": 0.5}, FUNCTION_SIGNALS: {"ran": 1.0}}
MOST_REASONS = 4
LEAST_REASON = 0.03
"""Share of a candidate's score below which a signal is not given as a reason."""


@cache
def fitted_weights(kind: str) -> Mapping[str, float]:
    """Return the weights in `weights.json`."""
    found: dict[str, float] = json.loads(files(__package__).joinpath("weights.json").read_text("utf-8"))[kind]
    return found


@cache
def weights(kind: str) -> Mapping[str, float]:
    """Return the weight of each signal of files or of functions."""
    return {**fitted_weights(kind), **BY_HAND[kind]}


def scores(signals: Mapping[str, Signal], kind: str, count: int, without: Container[str] = ()) -> Floats:
    """Return the scores of all candidates, `without` some signals; only their order and differences are meaningful."""
    total = np.zeros(count)
    for name, weight in weights(kind).items() if count else ():
        if name not in without:
            total += weight * signals[name].values
    return total


def reasons(signals: Mapping[str, Signal], kind: str, candidate: int) -> tuple[str, ...]:
    """Return the reasons for a candidate as text, heaviest first."""
    parts = {name: weight * signals[name].values[candidate] for name, weight in weights(kind).items()}
    whole = sum(part for part in parts.values() if part > 0)
    texts: dict[str, None] = {}
    for name in sorted(parts, key=lambda name: (-parts[name], name)):
        reason = signals[name].reason(candidate)
        if reason and parts[name] > LEAST_REASON * whole:
            texts.setdefault(reason)
    return tuple(texts)[:MOST_REASONS]


SHOWN_CLASSES = 3
"""Number of classes that are shown beside the functions: few faults are outside functions."""


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """A file, or a function or class in it, with its score and the reasons.

    Of a definition, `name` is dotted, `line` the line of its definition, `end` its last line.
    """

    path: str
    score: float
    why: tuple[str, ...] = ()
    name: str = ""
    line: int = 0
    end: int = 0
    signature: str = ""
    lines: tuple[tuple[int, str], ...] = ()
    """Lines that need a look, each with its reason; only in answers about a patch."""


@dataclass(frozen=True, slots=True)
class RankedPlaces:
    """Ranked files, functions and classes, most likely first.

    Classes are for faults outside functions; `CandidateSearch.classes` says how they are scored.
    """

    files: tuple[RankedPlace, ...] = ()
    functions: tuple[RankedPlace, ...] = ()
    classes: tuple[RankedPlace, ...] = ()


def rank_places(
    graph: Graph,
    issue: Issue,
    read: ReadFiles,
    commits: Commits | None = None,
    top: int = 10,
    traced: SnippetTrace | None = None,
) -> RankedPlaces:
    """Return the most likely places for an issue in a graph's tree.

    `commits` is the history before the tree, if there is one; `traced` is the trace of the issue's example in that
    tree.
    """
    from aci.issue_text.issue_mentions import find_mentions
    from aci.localization.candidate_places import CandidateSearch
    from aci.localization.explicit_mentions import CALLED, SECOND_PASS, called_signal, file_signals

    search = CandidateSearch(graph, find_mentions(issue), read, commits, traced)
    files = search.files()
    file_scores = scores(files.signals, FILE_SIGNALS, len(files.numbers), SECOND_PASS)
    functions, classes = search.functions(files, file_scores), search.classes(files, file_scores)
    first = scores(functions.signals, FUNCTION_SIGNALS, len(functions.nodes), SECOND_PASS)
    called = functions.signals[CALLED] = called_signal(functions.calls, first)
    files.signals |= file_signals(functions.files, called.values, first, len(files.numbers))
    file_scores = scores(files.signals, FILE_SIGNALS, len(files.numbers))
    # Calls of a class are calls of its methods.
    classes.signals[CALLED] = Signal.none(len(classes.nodes))
    return RankedPlaces(
        tuple(_file(graph, files, place, file_scores[place]) for place in _best(file_scores, top)),
        *(
            _ranked_symbols(graph, found, scores(found.signals, FUNCTION_SIGNALS, len(found.nodes)), top)
            for found in (functions, classes)
        ),
    )


def file_reader(graph: Graph, blobs: Blobs) -> ReadFiles:
    """Return a function that reads a graph's files by path without listing the tree again; a missing file is read as
    empty."""
    return lambda paths: {
        path: data or b"" for path, data in zip(paths, blobs.read([graph.blob(path) for path in paths]), strict=True)
    }


def _best(scores: Floats, top: int) -> list[int]:
    order: list[int] = (-scores).argsort(kind="stable")[:top].tolist()
    return order


def _ranked_symbols(graph: Graph, found: SymbolCandidates, values: Floats, top: int) -> tuple[RankedPlace, ...]:
    best = _first_of_name(found, _best(values, len(found.nodes)))
    return tuple(_symbol(graph, found, place, values[place]) for place in best[:top])


def _first_of_name(found: SymbolCandidates, order: list[int]) -> list[int]:
    """Keep only the best-ranked definition of each name in a file, so that overloads or a property's accessors count as
    one place."""
    first: dict[tuple[int, str], int] = {}
    for place in order:
        first.setdefault((int(found.files[place]), found.symbols[place].name), place)
    return list(first.values())


def _file(graph: Graph, files: FileCandidates, place: int, score: float) -> RankedPlace:
    return RankedPlace(
        graph.paths[files.numbers[place]], round(float(score), 4), reasons(files.signals, FILE_SIGNALS, place)
    )


def _symbol(graph: Graph, found: SymbolCandidates, place: int, score: float) -> RankedPlace:
    symbol = found.symbols[place]
    path = graph.place(int(found.nodes[place])).path
    why = reasons(found.signals, FUNCTION_SIGNALS, place)
    return RankedPlace(path, round(float(score), 4), why, symbol.name, symbol.header, symbol.end, symbol.signature)
