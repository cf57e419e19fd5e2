"""Ranking of the places that are most likely to need a change to fix an issue, without a model.

Candidates come from the code graph's postings, the places that the text names, and the commits before the base. Signals
score them (`aci/localization/candidate_places.py`), and fitted weights order them
(`aci/localization/signals.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.issue_text.issue_snippets import SnippetTrace
    from aci.localization.candidate_places import FileCandidates, ReadFiles, SymbolCandidates
    from aci.localization.past_changes import Commits
    from aci.localization.signals import Floats
    from aci.repository.file_blobs import Blobs
    from trajectories.records import Issue


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
    from aci.localization.signals import FILE_SIGNALS, FUNCTION_SIGNALS, Signal, scores

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
    from aci.localization.signals import FILE_SIGNALS, reasons

    return RankedPlace(
        graph.paths[files.numbers[place]], round(float(score), 4), reasons(files.signals, FILE_SIGNALS, place)
    )


def _symbol(graph: Graph, found: SymbolCandidates, place: int, score: float) -> RankedPlace:
    from aci.localization.signals import FUNCTION_SIGNALS, reasons

    symbol = found.symbols[place]
    path = graph.place(int(found.nodes[place])).path
    why = reasons(found.signals, FUNCTION_SIGNALS, place)
    return RankedPlace(path, round(float(score), 4), why, symbol.name, symbol.header, symbol.end, symbol.signature)
