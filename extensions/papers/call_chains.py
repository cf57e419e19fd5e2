"""Call chains through the likeliest places, along which a fault may spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aci.localization.issue_localization import query_tree_graph, text_of
from aci.repository.file_blobs import TreeBlobs
from aci.repository.test_files import is_test
from agent.prompts.opening_prompt import places

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.outline import Location
    from agent.engine.task import Task

LONGEST = 4
"""Maximum number of places in a chain."""
MOST_SOURCE = 3_000
"""Maximum number of characters shown of each place's source."""


class Link(NamedTuple):
    """A definition in a chain: its dotted name within the file, and its lines."""

    path: str
    name: str
    first: int
    last: int


def call_chains(task: Task, count: int) -> list[list[Link]]:
    """Return at most `count` chains, from callers to callees, each built around a different likely place; the result is
    recorded."""
    likely = [(hit["path"], hit["name"]) for hit in places(task.branch)["functions"] if not is_test(hit["path"])]
    blobs = TreeBlobs(task.trees, task.turn.base.tree)
    about = text_of(task.turn.issue)
    found: list[list[list[Any]]] = task.once(
        "chains",
        lambda: query_tree_graph(blobs, about, lambda graph: _chains(graph, likely, count), task.branch.notify),
    )
    return [[Link(*link) for link in chain] for chain in found]


def chain_text(chain: Sequence[Link]) -> str:
    return " -> ".join(f"{link.path}:{link.name}" for link in chain)


def chain_source(task: Task, chain: Sequence[Link]) -> str:
    """Return the chain as text, with the source of its places."""
    parts = [chain_text(chain)]
    for path, name, first, last in chain:
        lines = task.trees.read(task.turn.base.tree, path).decode("utf-8", "replace").split("\n")[first - 1 : last]
        parts.append(f"{path}:{name}, from line {first}:\n" + "\n".join(lines)[:MOST_SOURCE])
    return "\n\n".join(parts)


def _chains(graph: Graph, likely: Sequence[tuple[str, str]], count: int) -> list[list[Link]]:
    found: list[list[Link]] = []
    taken: set[Location] = set()
    for path, name in likely:
        known = (place for place in graph.defining(name.rpartition(".")[2]) if place.path == path)
        start = next((place for place in known if _link(graph, place).name == name), None)
        if start is None or start in taken or len(found) == count:
            continue
        chain = [start]
        while len(chain) < LONGEST:
            callers = [one.place for one in graph.callers(chain[0]) if _is_usable(graph, one.place, chain)]
            callees = [one.place for one in graph.callees(chain[-1]) if _is_usable(graph, one.place, chain)]
            if not callers and not callees:
                break
            chain = [*callers[:1], *chain, *callees[:1]][:LONGEST]
        taken.update(chain)
        found.append([_link(graph, place) for place in chain])
    return found


def _is_usable(graph: Graph, place: Location, chain: Sequence[Location]) -> bool:
    return place not in chain and graph.symbol(place) is not None and not is_test(place.path)


def _link(graph: Graph, place: Location) -> Link:
    symbol = graph.symbol(place)
    return Link(place.path, symbol.name, symbol.line, symbol.end) if symbol else Link(place.path, "", 1, 1)
