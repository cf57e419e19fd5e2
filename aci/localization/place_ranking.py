"""Where an issue is likely to be solved, found without a model: what the text names, its words, and the past.

Candidates are found through the code graph's postings, the text's pointers and the commits before; signals judge them
(`aci/localization/candidates.py`), and fitted weights put them in order (`aci/localization/ranking.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.graph.blobs import Blobs
    from aci.graph.graph import Graph
    from aci.issue_run import Traced
    from aci.localization.candidates import Files, Functions, Read
    from aci.localization.past import Commits
    from aci.localization.signals import Floats
    from trajectories.records import Issue


@dataclass(frozen=True, slots=True)
class Hit:
    """A file, or a function in it (`name` dotted, `line` of its definition), with the reasons in words."""

    path: str
    score: float
    why: tuple[str, ...] = ()
    name: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Places:
    """The likeliest first."""

    files: tuple[Hit, ...] = ()
    functions: tuple[Hit, ...] = ()


def places(
    graph: Graph,
    issue: Issue,
    read: Read,
    commits: Commits | None = None,
    top: int = 10,
    traced: Traced | None = None,
) -> Places:
    """The likeliest places of a graph's tree. `commits` is what lies before it, if anybody knows; `traced` is what the
    issue's own code did in that tree."""
    from aci.localization.candidates import Search
    from aci.localization.ranking import FILE_SIGNALS, FUNCTION_SIGNALS, scores
    from aci.mentions import mentions

    search = Search(graph, mentions(issue), read, commits, traced)
    files = search.files()
    of_files = scores(files.signals, FILE_SIGNALS, len(files.numbers))
    functions = search.functions(files, of_files)
    of_functions = scores(functions.signals, FUNCTION_SIGNALS, len(functions.nodes))
    best = _first_of_name(functions, _best(of_functions, len(functions.nodes)))
    return Places(
        tuple(_file(graph, files, place, of_files[place]) for place in _best(of_files, top)),
        tuple(_function(graph, functions, place, of_functions[place]) for place in best[:top]),
    )


def reader(graph: Graph, blobs: Blobs) -> Read:
    """Reads a graph's files by their paths, without listing the tree again; what is missing reads as empty."""
    return lambda paths: {
        path: data or b"" for path, data in zip(paths, blobs.read([graph.blob(path) for path in paths]), strict=True)
    }


def _best(scores: Floats, top: int) -> list[int]:
    order: list[int] = (-scores).argsort(kind="stable")[:top].tolist()
    return order


def _first_of_name(functions: Functions, order: list[int]) -> list[int]:
    """Overloads, and a property's getter and setter, are one place."""
    first: dict[tuple[int, str], int] = {}
    for place in order:
        first.setdefault((int(functions.files[place]), functions.symbols[place].name), place)
    return list(first.values())


def _file(graph: Graph, files: Files, place: int, score: float) -> Hit:
    from aci.localization.ranking import FILE_SIGNALS, reasons

    return Hit(graph.paths[files.numbers[place]], round(float(score), 4), reasons(files.signals, FILE_SIGNALS, place))


def _function(graph: Graph, functions: Functions, place: int, score: float) -> Hit:
    from aci.localization.ranking import FUNCTION_SIGNALS, reasons

    symbol = functions.symbols[place]
    path = graph.place(int(functions.nodes[place])).path
    why = reasons(functions.signals, FUNCTION_SIGNALS, place)
    return Hit(path, round(float(score), 4), why, symbol.name, symbol.header)
