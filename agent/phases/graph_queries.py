"""Queries of the code graph in JSON, which a model writes and refines.

The query language for a model follows CodexGraph (arXiv 2408.03910); using one model to turn the issue into queries and
another to rank the results follows CGM (arXiv 2505.16901).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aci.localization.issue_localization import query_tree_graph
from aci.observation.prompt_tags import quote_text
from aci.repository.file_blobs import TreeBlobs

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.outline import Location
    from agent.engine.task import Task
    from trajectories.records import Step

MOST_QUERIES, MOST_ROWS, MOST_NODES = 4, 40, 2_000
"""Maximum number of queries in an answer, of rows in a result, and of places that a query may visit."""
SYNTAX = """\
Query the code graph with JSON objects, up to four in an answer, each like
{"name": "Shape", "path": "src/*", "kind": "class", "follow": "subclasses", "depth": 3, "lacks": "area"}
- `name`: the name of a definition, bare or dotted, `*` for any part; `path`: a pattern for its file
- `kind`: class, function, or any
- `follow`: callers, callees, bases, subclasses or members; the results are then the places reached, with the path
- `depth`: how many times to follow, up to 4
- `has`, `lacks`: only places with, or without, a member of that name
All keys but `name` are optional."""


class Query(BaseModel):
    """A query in the format that `SYNTAX` describes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    path: str = Field(default="*", max_length=300)
    kind: Literal["class", "function", "any"] = "any"
    follow: Literal["", "callers", "callees", "bases", "subclasses", "members"] = ""
    depth: int = Field(default=1, ge=1, le=4)
    has: str = Field(default="", max_length=100)
    lacks: str = Field(default="", max_length=100)


def run_queries(task: Task, words: str, most: int) -> Generator[Step, None, str]:
    """Run a conversation without tools, with at most `most` replies that contain queries, and return its final
    answer."""
    yield task.say(f"{words}\n\n{SYNTAX}")
    said = ""
    for number in range(most + 1):
        reply = task.ask(tools=False)
        said = reply.text
        asked = list(_objects(said))[:MOST_QUERIES] if number < most else []
        if not asked:
            yield task.step(reply, ())
            return said
        yield task.step(reply, (), ())
        found = task.once(f"queries {number + 1}", lambda asked=asked: [_result(task, one) for one in asked])  # type: ignore[misc]
        left = most - number - 1
        end = f"You may query {left} more times, or answer." if left else "Answer now, without a query."
        yield task.say("\n\n".join([*map(quote_text, found), end]), author="graph")
    return said


def _objects(said: str) -> Iterator[object]:
    """Yield the JSON objects in a text."""
    decoder, at = json.JSONDecoder(), 0
    while (at := said.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(said, at)
        except (ValueError, RecursionError):
            at += 1
        else:
            yield value
            at = end


def _result(task: Task, asked: object) -> str:
    """Return the results of a query, or its error."""
    try:
        query = Query.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{json.dumps(asked)[:200]}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    blobs = TreeBlobs(task.trees, task.turn.base.tree)
    rows = query_tree_graph(blobs, lambda graph: run_query(graph, query), task.branch.notify)
    shown = rows[:MOST_ROWS] + ([f"… {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else [])
    return "\n".join([f"{query.model_dump_json(exclude_defaults=True)}:", *(shown or ["nothing"])])


def run_query(graph: Graph, query: Query) -> list[str]:
    """Return a row for each place that a query finds: file, line, signature, and the places that lead to it."""
    begin = [place for place in _named(graph, query.name) if not query.follow or _fits(graph, place, query.kind, "")]
    reached: dict[Location, tuple[Location, ...]] = dict.fromkeys(begin, ())
    if query.follow:
        reached = _follow_links(graph, begin, query.follow, query.depth)
    found = [
        (place, way)
        for place, way in reached.items()
        if fnmatchcase(place.path, query.path) and _fits(graph, place, "any" if query.follow else query.kind, query.has)
        and not (query.lacks and _has_member(graph, place, query.lacks))
    ]  # fmt: skip
    return [_row(graph, place, way) for place, way in sorted(found, key=lambda one: (len(one[1]), one[0]))]


def _named(graph: Graph, name: str) -> list[Location]:
    if "*" not in name:
        return graph.defining(name)[:MOST_NODES]
    *_, bare = name.split(".")
    found = [place for one in sorted(graph.names()) if fnmatchcase(one, bare) for place in graph.defining(one)]
    return [place for place in found if _dotted(graph, place, name)][:MOST_NODES]


def _dotted(graph: Graph, place: Location, name: str) -> bool:
    symbol = graph.symbol(place)
    return symbol is not None and ("." not in name or fnmatchcase(symbol.name, name))


def _follow_links(
    graph: Graph, begin: Sequence[Location], follow: str, depth: int
) -> dict[Location, tuple[Location, ...]]:
    """Return the places reached by following links, each with the places on the way to it."""
    reached: dict[Location, tuple[Location, ...]] = {}
    edge: list[tuple[Location, tuple[Location, ...]]] = [(place, (place,)) for place in begin]
    for _ in range(depth):
        further: list[tuple[Location, tuple[Location, ...]]] = []
        for place, way in edge:
            for other in _next(graph, place, follow):
                if other not in reached and other not in begin and len(reached) < MOST_NODES:
                    reached[other] = way
                    further.append((other, (*way, other)))
        edge = further
    return reached


def _next(graph: Graph, place: Location, follow: str) -> list[Location]:
    if follow == "members":
        return _members(graph, place)
    ways = {"callers": graph.callers, "callees": graph.callees, "bases": graph.bases, "subclasses": graph.subclasses}
    return [link.place for link in ways[follow](place)]


def _members(graph: Graph, place: Location) -> list[Location]:
    symbols = graph.outline(place.path).symbols
    return [place._replace(symbol=at) for at, one in enumerate(symbols) if one.parent == place.symbol]


def _has_member(graph: Graph, place: Location, name: str) -> bool:
    members = (graph.symbol(one) for one in _members(graph, place))
    return any(symbol is not None and symbol.bare == name for symbol in members)


def _fits(graph: Graph, place: Location, kind: str, has: str) -> bool:
    symbol = graph.symbol(place)
    right = kind == "any" or (symbol is not None and symbol.kind == kind)
    return right and (not has or _has_member(graph, place, has))


def _row(graph: Graph, place: Location, way: Sequence[Location]) -> str:
    symbol = graph.symbol(place)
    where = f"{place.path}:{symbol.line} {symbol.name}  {symbol.signature}" if symbol else place.path
    names = [one.name if (one := graph.symbol(step)) else step.path for step in way]
    return f"{where}  (from {' -> '.join(names)})" if names else where
