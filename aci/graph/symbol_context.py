"""What the graph knows of a definition or file: where it stands, who refers to it, what it refers to, what tests it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from aci.graph.graph import Graph, Link
from aci.graph.naming import base_classes, is_test_file, subclasses
from aci.graph.outline import CLASS, Place

TITLES = {
    "bases": "base classes",
    "subclasses": "subclasses",
    "overrides": "overrides",
    "overridden": "overridden by",
    "callers": "callers",
    "tests": "tests",
    "callees": "refers to",
    "members": "holds",
}
RELATIONS = tuple(TITLES)
REFERRING = ("callers", "tests", "subclasses")
"""The relations whose lines are those of the reference, not of a definition."""
DEEPENED = ("bases", "subclasses", "callers", "callees")
"""The relations that are followed further."""


@dataclass(frozen=True)
class Seen:
    """A place as others may be shown it. `at` is the line of the reference by which it was found, in `at_path`."""

    place: Place
    name: str
    kind: str
    line: int
    end: int
    signature: str
    doc: str
    at: int = 0
    at_path: str = ""
    weight: float = 1.0
    """Below 1 where the reference may mean others as well."""
    related: dict[str, list[Seen]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.place.path

    @property
    def unsure(self) -> bool:
        """Whether others may be meant as well."""
        return self.weight < 1

    @property
    def heading(self) -> str:
        """The signature, behind the dotted name where that says more."""
        if not self.signature or "." not in self.name:
            return self.signature or self.name
        return f"{self.name}  {self.signature}"

    def told_at(self, relation: str) -> str:
        """`path:line`, of the reference where it is this place that refers, else of the definition."""
        line = self.at if relation in REFERRING else self.line
        return f"{self.path}:{line}" if line else self.path

    @property
    def address(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


def seen(graph: Graph, place: Place, link: Link | None = None, at_path: str = "") -> Seen:
    """A place without what is around it."""
    symbol = graph.symbol(place)
    if symbol is None:
        described = (place.path, "file", 0, 0, "", "")
    else:
        described = (symbol.name, symbol.kind, symbol.header, symbol.end, symbol.signature, symbol.doc)
    return Seen(place, *described, link.line if link else 0, at_path, link.weight if link else 1.0)


def surroundings(graph: Graph, place: Place, depth: int = 1, wanted: Sequence[str] = RELATIONS) -> Seen:
    """A place with what is related to it, in `related`; callers, callees and classes so many levels deep."""
    return _grown(graph, seen(graph, place), depth, wanted, frozenset({place}))


def _grown(graph: Graph, one: Seen, depth: int, wanted: Sequence[str], known: frozenset[Place]) -> Seen:
    for relation in wanted:
        found = list(_related(graph, one.place, relation))
        if relation in DEEPENED and depth > 1:
            for other in found:
                if other.place not in known and other.place.symbol >= 0:
                    _grown(graph, other, depth - 1, [relation], known | {other.place})
        if found:
            one.related[relation] = found
    return one


def _related(graph: Graph, place: Place, relation: str) -> Iterator[Seen]:
    symbol = graph.symbol(place)
    if relation in ("bases", "subclasses") and symbol is not None and symbol.kind != CLASS:
        return  # of a method that is said by what it overrides
    if relation in ("callers", "tests"):
        links = _referring(graph, place)
        yield from (
            seen(graph, link.place, link, link.place.path)
            for link in links
            if is_test_file(graph, link.place.path) == (relation == "tests" or is_test_file(graph, place.path))
        )
    elif relation == "callees":
        yield from (seen(graph, link.place, link, place.path) for link in _once(graph.callees(place)))
    elif relation == "bases":
        yield from (seen(graph, link.place, link, place.path) for link in base_classes(graph, place))
    elif relation == "subclasses":
        yield from (seen(graph, link.place, link, link.place.path) for link in subclasses(graph, place))
    elif relation == "members":
        yield from (seen(graph, one) for one in members(graph, place))
    else:
        yield from (seen(graph, one) for one in kin(graph, place, up=relation == "overrides"))


def _referring(graph: Graph, place: Place) -> list[Link]:
    """Who refers to a place; of files that only import it, those that do nothing else with it."""
    links = graph.callers(place)
    symbol = graph.symbol(place)
    if symbol and symbol.bare == "__init__" and symbol.parent >= 0:
        links += [link for link in graph.callers(Place(place.path, symbol.parent)) if link.kind == "call"]
    using = {link.place.path for link in links if link.kind != "import"}
    return _once(link for link in links if link.kind != "import" or link.place.path not in using)


def _once(links: Iterable[Link]) -> list[Link]:
    """Each place once, by its surest link."""
    found: dict[Place, Link] = {}
    for link in links:
        found.setdefault(link.place, link)
    return list(found.values())


def members(graph: Graph, place: Place) -> list[Place]:
    """What stands directly in a class or file."""
    symbol = graph.symbol(place)
    if symbol is not None and symbol.kind != CLASS:
        return []
    symbols = graph.outline(place.path).symbols
    return [Place(place.path, n) for n, one in enumerate(symbols) if one.parent == place.symbol]


def kin(graph: Graph, place: Place, up: bool) -> list[Place]:
    """The methods that a method overrides (`up`), or that override it."""
    symbol = graph.symbol(place)
    if symbol is None or symbol.kind == CLASS:
        return []
    links = graph.bases(place) if up else graph.subclasses(place)
    return list(dict.fromkeys(link.place for link in links))
