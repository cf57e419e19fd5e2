"""How a fault may spread: chains of calls through the likeliest places, from the code graph.

After SWE-Debate (arXiv 2507.23348), which lets proposals start from different fault-propagation chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aci.graph.blobs import TreeBlobs
from aci.locating import ask_graph
from aci.patch import is_test
from agent.moves.opening import places

if TYPE_CHECKING:
    from aci.graph.graph import Graph
    from aci.graph.outline import Place
    from agent.task import Task

LONGEST = 4
"""Places of a chain."""
MOST_SOURCE = 3_000
"""Characters of each place's source."""


class Link(NamedTuple):
    """A definition of a chain: its dotted name within the file, and its lines."""

    path: str
    name: str
    first: int
    last: int


def chains(task: Task, count: int) -> list[list[Link]]:
    """So many chains at most, from who calls to who is called, of which every one begins at another of the likeliest
    places; recorded."""
    likely = [(hit["path"], hit["name"]) for hit in places(task)["functions"] if not is_test(hit["path"])]
    blobs = TreeBlobs(task.trees, task.base.tree)
    found: list[list[list[Any]]] = task.once(
        "chains", lambda: ask_graph(blobs, lambda graph: _chains(graph, likely, count), task.notify)
    )
    return [[Link(*link) for link in chain] for chain in found]


def in_line(chain: Sequence[Link]) -> str:
    return " -> ".join(f"{link.path}:{link.name}" for link in chain)


def source_of(task: Task, chain: Sequence[Link]) -> str:
    """The chain in words, with the source of its places."""
    parts = [in_line(chain)]
    for path, name, first, last in chain:
        lines = task.trees.read(task.base.tree, path).decode("utf-8", "replace").split("\n")[first - 1 : last]
        parts.append(f"{path}:{name}, from line {first}:\n" + "\n".join(lines)[:MOST_SOURCE])
    return "\n\n".join(parts)


def _chains(graph: Graph, likely: Sequence[tuple[str, str]], count: int) -> list[list[Link]]:
    found: list[list[Link]] = []
    taken: set[Place] = set()
    for path, name in likely:
        known = (place for place in graph.defining(name.rpartition(".")[2]) if place.path == path)
        start = next((place for place in known if _link(graph, place).name == name), None)
        if start is None or start in taken or len(found) == count:
            continue
        chain = [start]
        while len(chain) < LONGEST:
            callers = [one.place for one in graph.callers(chain[0]) if _counts(graph, one.place, chain)]
            callees = [one.place for one in graph.callees(chain[-1]) if _counts(graph, one.place, chain)]
            if not callers and not callees:
                break
            chain = [*callers[:1], *chain, *callees[:1]][:LONGEST]
        taken.update(chain)
        found.append([_link(graph, place) for place in chain])
    return found


def _counts(graph: Graph, place: Place, chain: Sequence[Place]) -> bool:
    return place not in chain and graph.symbol(place) is not None and not is_test(place.path)


def _link(graph: Graph, place: Place) -> Link:
    symbol = graph.symbol(place)
    return Link(place.path, symbol.name, symbol.line, symbol.end) if symbol else Link(place.path, "", 1, 1)
