"""A tree search over the code graph in which a role rates the places that the search reaches, before any change.

The search follows LingmaAgent (arXiv 2406.01422), except that one request rates all places of a round.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.graph.outline import CLASS, Location
from aci.localization.issue_localization import query_tree_graph, text_of
from aci.observation.untrusted_text import quote_text
from aci.repository.file_blobs import TreeBlobs
from agent.candidates.role_questions import Question, ask_roles
from agent.prompts.opening_prompt import places
from agent.prompts.test_command_prompt import search_tree
from extensions.papers.graph_search import IssueRelevance, Neighbour, PlaceTree, find_place, neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

    from aci.graph.code_graph import Graph
    from agent.engine.task import Task
    from extensions.papers.graph_search import PlaceNode
    from trajectories.records import Step

SEEDS, EXPANDED = 12, 3
"""Number of places that the first request rates, and of places that are expanded between two requests."""
MOST_LINES = 12
"""Maximum number of lines shown of a function without its docstring, or of names of what a class or file contains."""
MOST_READ, LONGEST_LINE = 60, 200
"""Maximum number of lines of a function that are searched for its docstring, and of characters of a line."""
LEAST, SHOWN, LONGEST_WHY = 0.3, 10, 300
"""The lowest rating of a relevant place, and the maximum numbers of places in the summary and of characters of a
reason."""
RATE = """\
Places in the code graph:
{places}

How likely is it that each of them must be changed, or read to make the change? Answer with one line for each place: its
number, a colon, a number from 0 (unrelated) to 1 (the fault is there), and one sentence that says why."""
DOCSTRING = re.compile(r"(?s)(?<=:\n)\s*[rRuU]?(\"{3}|'{3}).*?\1(?=\n)")
RATING = re.compile(r"(?m)^[^\w\n]*(\d+)[^\w\n]+((?:0|1)(?:\.\d+)?|\.\d+)(?![\w./])[^\w\n]*(.*)$")


def search_places(task: Task, name: str, role: str, words: str, rounds: int) -> Generator[Step, None, str]:
    """Search with at most `rounds` requests to a role, and return the best places with their ratings as text; "" if it
    rates none highly enough. A round without such a place ends the search.

    `name` names the questions and the recorded results.
    """
    tree, labels = PlaceTree(), dict[Any, str]()
    found = task.once(f"{name} 1", partial(query_places, task, partial(_seeds, task)))
    added = tree.add(Neighbour(Location(*place), how) for place, how in found)
    for number in range(1, rounds + 1):
        if not added:
            break
        at = [node.place for node in added]
        shown = task.once(f"{name} {number} places", partial(query_places, task, partial(_describe, task, at)))
        labels.update(zip(at, (label for label, _ in shown), strict=True))
        listed = "\n\n".join(_entry(*one) for one in zip(range(1, len(at) + 1), added, shown, strict=True))
        question = Question(f"{name}-{number}", role, f"{words}\n\n{RATE.format(places=quote_text(listed))}")
        [said] = yield from ask_roles(task, [question])
        ratings = parse_ratings(said)
        for position, node in enumerate(added, 1):
            tree.rate(node, *ratings.get(position, (0.0, "")))
        is_promising = any(node.rating >= LEAST for node in added)
        added = _expand(task, tree, f"{name} {number + 1}") if is_promising and number < rounds else []
    best = [node for node in tree.ranked() if node.rating >= LEAST][:SHOWN]
    for node in best:
        task.note("score", f"{node.rating:.2f}, {labels[node.place]}: {node.why}", rating=node.rating)
    return "\n".join(f"- {labels[node.place]} ({_reason(node)}): {node.why}" for node in best)


def parse_ratings(said: str) -> dict[int, tuple[float, str]]:
    """Return the ratings in an answer with their reasons, by the number of the place."""
    return {
        int(number): (float(rating), " ".join(why.split())[:LONGEST_WHY])
        for number, rating, why in RATING.findall(said)
        if float(rating) <= 1
    }


def _expand(task: Task, tree: PlaceTree, name: str) -> list[PlaceNode]:
    """Expand the most promising places, and return the nodes that are new; neighbours that are looked up are recorded
    under this name."""
    chosen = tree.promising(EXPANDED)
    new = [node for node in chosen if node.waiting is None]
    at = [node.place for node in new]
    found = task.once(name, partial(query_places, task, partial(_look_up, task, at)))
    for node, its_neighbours in zip(new, found, strict=True):
        node.waiting = [Neighbour(Location(*place), how) for place, how in its_neighbours]
    return [child for node in chosen for child in tree.expand(node)]


def query_places(task: Task, question: Callable[[Graph], list[Any]]) -> list[Any]:
    """Return the answer of the code graph of the files in which places are searched."""
    blobs = TreeBlobs(task.trees, search_tree(task.turn, task.trees))
    return query_tree_graph(blobs, text_of(task.turn.issue), question, task.branch.notify)


def _seeds(task: Task, graph: Graph) -> list[Neighbour]:
    """Return the likeliest files, functions and classes, from the first of each kind to the last."""
    located = places(task.branch)
    kinds = [located["functions"], located["files"], located.get("classes", [])]
    longest = max(map(len, kinds))
    hits = [kind[at] for at in range(longest) for kind in kinds if at < len(kind)]
    found = (find_place(graph, hit["path"], hit.get("name", "")) for hit in hits)
    return [Neighbour(place, "") for place in dict.fromkeys(found) if place][:SEEDS]


def _look_up(task: Task, at: Sequence[Location], graph: Graph) -> list[list[Neighbour]]:
    relevance = IssueRelevance(graph, task.turn.issue)
    return [neighbours(graph, place, relevance) for place in at]


def _describe(task: Task, at: Sequence[Location], graph: Graph) -> list[tuple[str, str]]:
    """Return the label of each place, and the beginning of its source; for a file, what it contains."""
    return [_description(task, graph, place) for place in at]


def _description(task: Task, graph: Graph, place: Location) -> tuple[str, str]:
    symbol = graph.symbol(place)
    if symbol is None or symbol.kind == CLASS:
        inside = [one.name for one in graph.outline(place.path).symbols if one.parent == place.symbol]
        more = [f"… {len(inside) - MOST_LINES} more"] if len(inside) > MOST_LINES else []
        parts = (symbol.signature, symbol.doc) if symbol else ()
        contents = f"contains {', '.join([*inside[:MOST_LINES], *more]) or 'no definition'}"
        label = f"{place.path}:{symbol.header} {symbol.name}" if symbol else place.path
        return label, "\n".join(filter(None, [*parts, contents]))
    lines = task.trees.read_blob(graph.blob(place.path)).decode("utf-8", "replace").split("\n")
    shown = (line[:LONGEST_LINE] for line in lines[symbol.header - 1 : symbol.end][:MOST_READ])
    source = DOCSTRING.sub(lambda _: f"    {symbol.doc}", "\n".join(shown), count=1).split("\n")
    cut = ["…"] if len(source) > MOST_LINES else []
    return f"{place.path}:{symbol.header} {symbol.name}", "\n".join([*source[:MOST_LINES], *cut])


def _entry(number: int, node: PlaceNode, shown: Sequence[str]) -> str:
    label, source = shown
    return f"{number}. {label}{f' ({node.how})' if node.how else ''}\n{source}"


def _reason(node: PlaceNode) -> str:
    return ", ".join(filter(None, [f"{node.rating:.2f}", node.how]))
