"""Places that several answers name, fused by their ranks with those of localization without a model.

The ensemble of localizations follows Nemotron-CORTEXA (ICML 2025), which combines the answers of several models; the
ranks are fused as in `extensions/papers/rank_fusion.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aci.graph.file_selection import language_of
from aci.graph.symbol_context import describe_place
from aci.observation.untrusted_text import quote_text
from aci.repository.test_files import is_test
from agent.prompts.answer_parser import lines_of
from agent.prompts.opening_prompt import likely_sources, places
from agent.prompts.test_command_prompt import search_tree
from extensions.papers.graph_search import IssueRelevance, find_place, neighbours
from extensions.papers.place_search import query_places
from extensions.papers.rank_fusion import fuse_ranks

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from agent.engine.task import Task

MOST_NAMED, MOST_FUSED, MOST_FILES = 10, 10, 400
"""Maximum number of places that are taken from one answer, of places in the result, and of files listed in a prompt."""
CENTRES, AROUND = 5, 6
"""Number of likely functions whose neighbours in the code graph are shown, and of neighbours of each."""
LOCATED = "localization"
"""The name of the ranking that needs no model."""
NAMED = re.compile(
    r"\s*(?:[-*]\s*|\d+[.)]\s*)?[`*]*(?:\./)?([^\s:`*]+\.\w+)(?::\d+)?(?:(?::+|\s+)`?([A-Za-z_][\w.]*))?"
)


def fuse_places(task: Task, name: str, answers: Mapping[str, str]) -> str:
    """Return the best places of these answers and of localization as text, each with its ranks; `answers` are named by
    the phases that gave them. `name` names the recorded result."""
    found: list[dict[str, Any]] = task.once(
        name, lambda: query_places(task, lambda graph: _fused(task, graph, answers))
    )
    for one in found:
        task.note("score", f"{one['place']}: {one['ranks']}")
    return "\n".join(f"- {one['place']} ({one['ranks']})" for one in found)


def _fused(task: Task, graph: Graph, answers: Mapping[str, str]) -> list[dict[str, Any]]:
    located = places(task.branch)
    hits = located["functions"] or located["files"]
    rankings = {name: list(parse_places(said, graph))[:MOST_NAMED] for name, said in answers.items()}
    rankings[LOCATED] = [
        place for hit in hits[:MOST_NAMED] if (place := find_place(graph, hit["path"], hit.get("name", "")))
    ]
    best = fuse_ranks((1.0, ranked) for ranked in rankings.values())[:MOST_FUSED]
    views = [(place, describe_place(graph, place)) for place in best]
    return [
        {
            "place": f"{view.address} {view.name}" if place.symbol >= 0 else view.address,
            "ranks": ", ".join(f"{name} {at.index(place) + 1}" for name, at in rankings.items() if place in at),
        }
        for place, view in views
    ]


def parse_places(said: str, graph: Graph) -> Iterator[Any]:
    """Yield the places that lines of an answer begin with (`path`, `path:name` or `path:line name`), each once.

    A name that the file does not define counts as the whole file; lines without a known path are ignored.
    """
    known = set()
    for line in lines_of(said):
        if found := NAMED.match(line):
            path, name = found[1], (found[2] or "").rstrip(".")
            place = find_place(graph, path, name) or find_place(graph, path)
            if place is not None and place not in known and not is_test(path):
                known.add(place)
                yield place


def list_files(task: Task, _: Sequence[str]) -> str:
    """Return the repository's source files without tests, the likeliest first."""
    every = task.trees.files(search_tree(task.turn, task.trees))
    sources = [path for path in every if language_of(path) and not is_test(path)]
    return quote_text("\n".join(list(dict.fromkeys([*likely_sources(task.branch), *sources]))[:MOST_FILES]))


def list_neighbours(task: Task, _: Sequence[str]) -> str:
    """Return the likeliest functions, each with what it is next to in the code graph; the result is recorded."""
    hits = [(hit["path"], hit["name"]) for hit in places(task.branch)["functions"][:CENTRES]]

    def question(graph: Graph) -> list[str]:
        relevance = IssueRelevance(graph, task.turn.issue)
        lines = []
        for path, name in hits:
            if place := find_place(graph, path, name):
                lines.append(f"{path}:{name}")
                for other, how in neighbours(graph, place, relevance)[:AROUND]:
                    symbol = graph.symbol(other)
                    lines.append(f"  {other.path}:{symbol.name} ({how})" if symbol else f"  {other.path} ({how})")
        return lines

    found: list[str] = task.once("neighbours", lambda: query_places(task, question))
    return quote_text("\n".join(found)) or "(none)"
