"""The former query language of the strategy `graph-query`: JSON with one relation, for `graph_queries.py`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.outline import Location

MOST_NODES = 2_000


class Query(BaseModel):
    """A query: definitions with a name, or the places that one relation leads to from them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    path: str = Field(default="*", max_length=300)
    kind: Literal["class", "function", "any"] = "any"
    follow: Literal["", "callers", "callees", "bases", "subclasses", "members"] = ""
    depth: int = Field(default=1, ge=1, le=4)
    has: str = Field(default="", max_length=100)
    lacks: str = Field(default="", max_length=100)


def run_query(graph: Graph, query: Query) -> list[str]:
    """Return a row for each place that a query finds: path and name."""
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
    return [_row(graph, place) for place, way in sorted(found, key=lambda one: (len(one[1]), one[0]))]


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


def _row(graph: Graph, place: Location) -> str:
    symbol = graph.symbol(place)
    return f"{place.path}:{symbol.name if symbol else place.path}"
