"""The context of a definition or file in the graph: its place, references to it and from it, and its tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aci.graph.code_graph import Graph, Link, base_classes, is_test_file, look_up_name, subclasses
from aci.graph.outline import CLASS, Location
from trajectories.errors import UsageError

TITLES = {
    "bases": "base classes",
    "subclasses": "subclasses",
    "overrides": "overrides",
    "overridden": "overridden by",
    "callers": "callers",
    "tests": "tests",
    "callees": "refers to",
    "members": "contains",
}
RELATIONS = tuple(TITLES)
REFERRING = ("callers", "tests", "subclasses")
"""Relations whose places are shown with the line of the reference instead of the line of the definition."""
DEEPENED = ("bases", "subclasses", "callers", "callees")
"""The relations that are followed for more than one level."""
MOST_MEANT = 5
"""Maximum number of definitions of one name that are shown with their neighbours."""
LONGEST_NAME = 100
"""Maximum number of characters of an unknown name in an error message."""


@dataclass(frozen=True)
class PlaceView:
    """A place with the information that is shown about it. `at` is the line, in the file `at_path`, of the reference
    through which the place was found."""

    place: Location
    name: str
    kind: str
    line: int
    end: int
    signature: str
    doc: str
    at: int = 0
    at_path: str = ""
    weight: float = 1.0
    """Below 1 if the reference is ambiguous."""
    related: dict[str, list[PlaceView]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.place.path

    @property
    def unsure(self) -> bool:
        """Whether the reference is ambiguous."""
        return self.weight < 1

    @property
    def heading(self) -> str:
        """The signature, preceded by the dotted name if it differs from the bare name."""
        if not self.signature or "." not in self.name:
            return self.signature or self.name
        return f"{self.name}  {self.signature}"

    def reference_location(self, relation: str) -> str:
        """Return `path:line` of the reference if this place contains it, else of the definition."""
        line = self.at if relation in REFERRING else self.line
        return f"{self.path}:{line}" if line else self.path

    @property
    def address(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    def as_json(self) -> dict[str, Any]:
        """Return the object that `graph --json` prints for a symbol. `at` is the line of the reference, if any."""
        document: dict[str, Any] = {"path": self.path, "name": self.name, "kind": self.kind, "line": self.line}
        related = {relation: [other.as_json() for other in found] for relation, found in self.related.items()}
        if self.at_path:
            return document | {"at": self.at, "weight": round(self.weight, 3)} | related
        return document | {"end": self.end, "signature": self.signature, "doc": self.doc} | related


def look_up_context(graph: Graph, name: str, depth: int) -> tuple[list[PlaceView], list[PlaceView]]:
    """Return the first definitions of a name with their neighbours, and the other definitions.

    Raises UsageError, listing the nearest names, for an unknown name.
    """
    places = look_up_places(graph, name)
    whole, others = places[:MOST_MEANT], places[MOST_MEANT:]
    return [find_context(graph, place, depth) for place in whole], [describe_place(graph, place) for place in others]


def look_up_places(graph: Graph, name: str) -> tuple[Location, ...]:
    """Return the places that a name refers to. Raises UsageError, listing the nearest names, for an unknown name."""
    lookup = look_up_name(graph, name)
    if not lookup.places:
        near = [f"{one.name} ({one.address})" for one in (describe_place(graph, place) for place in lookup.near)]
        fix = f"Nearest: {', '.join(near)}." if near else "Write the name as in its definition."
        raise UsageError(f"There is no symbol {name[:LONGEST_NAME]!r}.", fix)
    return lookup.places


def describe_place(graph: Graph, place: Location, link: Link | None = None, at_path: str = "") -> PlaceView:
    """Return the view of a place without related places."""
    symbol = graph.symbol(place)
    if symbol is None:
        described = (place.path, "file", 0, 0, "", "")
    else:
        described = (symbol.name, symbol.kind, symbol.header, symbol.end, symbol.signature, symbol.doc)
    return PlaceView(place, *described, link.line if link else 0, at_path, link.weight if link else 1.0)


def find_context(graph: Graph, place: Location, depth: int = 1, wanted: Sequence[str] = RELATIONS) -> PlaceView:
    """Return the view of a place with its related places; callers, callees and classes are followed for `depth`
    levels."""
    return _add_related(graph, describe_place(graph, place), depth, wanted, frozenset({place}))


def _add_related(
    graph: Graph, one: PlaceView, depth: int, wanted: Sequence[str], known: frozenset[Location]
) -> PlaceView:
    for relation in wanted:
        found = list(_related(graph, one.place, relation))
        if relation in DEEPENED and depth > 1:
            for other in found:
                if other.place not in known and other.place.symbol >= 0:
                    _add_related(graph, other, depth - 1, [relation], known | {other.place})
        if found:
            one.related[relation] = found
    return one


def _related(graph: Graph, place: Location, relation: str) -> Iterator[PlaceView]:
    symbol = graph.symbol(place)
    if relation in ("bases", "subclasses") and symbol is not None and symbol.kind != CLASS:
        return  # methods have the relations `overrides` and `overridden` instead
    if relation in ("callers", "tests"):
        links = _referring_links(graph, place)
        yield from (
            describe_place(graph, link.place, link, link.place.path)
            for link in links
            if is_test_file(graph, link.place.path) == (relation == "tests" or is_test_file(graph, place.path))
        )
    elif relation == "callees":
        yield from (
            describe_place(graph, link.place, link, place.path) for link in _unique_places(graph.callees(place))
        )
    elif relation == "bases":
        yield from (describe_place(graph, link.place, link, place.path) for link in base_classes(graph, place))
    elif relation == "subclasses":
        yield from (describe_place(graph, link.place, link, link.place.path) for link in subclasses(graph, place))
    elif relation == "members":
        yield from (describe_place(graph, one) for one in members(graph, place))
    else:
        yield from (describe_place(graph, one) for one in related_methods(graph, place, up=relation == "overrides"))


def _referring_links(graph: Graph, place: Location) -> list[Link]:
    """Return the links from places that refer to a place; a file's import of the place is left out if the file also
    uses it."""
    links = graph.callers(place)
    symbol = graph.symbol(place)
    if symbol and symbol.bare == "__init__" and symbol.parent >= 0:
        links += [link for link in graph.callers(Location(place.path, symbol.parent)) if link.kind == "call"]
    using = {link.place.path for link in links if link.kind != "import"}
    return _unique_places(link for link in links if link.kind != "import" or link.place.path not in using)


def _unique_places(links: Iterable[Link]) -> list[Link]:
    """Return each place once, with its link of the highest weight."""
    found: dict[Location, Link] = {}
    for link in links:
        found.setdefault(link.place, link)
    return list(found.values())


def members(graph: Graph, place: Location) -> list[Location]:
    """Return the direct members of a class or file."""
    symbol = graph.symbol(place)
    if symbol is not None and symbol.kind != CLASS:
        return []
    symbols = graph.outline(place.path).symbols
    return [Location(place.path, n) for n, one in enumerate(symbols) if one.parent == place.symbol]


def related_methods(graph: Graph, place: Location, up: bool) -> list[Location]:
    """Return the methods that a method overrides (with `up`), or the methods that override it."""
    symbol = graph.symbol(place)
    if symbol is None or symbol.kind == CLASS:
        return []
    links = graph.bases(place) if up else graph.subclasses(place)
    return list(dict.fromkeys(link.place for link in links))
