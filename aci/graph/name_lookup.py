"""Lookup of names as users write them, with similar names as suggestions.

Forms: `name`, `Class.method`, `module.name`, `module::name`, `Class#method`, `path.py`, `path.py:name`, `path.py:12`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aci.graph.code_graph import Graph, Link
from aci.graph.outline import CLASS, Location
from aci.repository.patch import is_test

CUTOFF = 0.65
MOST_RANKED = 500
"""Maximum number of definitions that are ranked by their similarity to a dotted name."""
LONGEST = 500
"""Number of characters after which a name is truncated."""
DEEPEST = 10
"""Maximum number of levels of base classes that are searched for a method."""

_AT = re.compile(r"(?P<path>[^:#]+\.[A-Za-z]\w{0,4}|[^:#]*/[^:#]*)(?:(?:::?|#)(?P<rest>.+))?")
_MARKS = re.compile(r"::|#|->|/")
_AROUND = re.compile(r"^(?:async |def |class |function |fn |func )+|\(.*\)$")


class NameMatch(NamedTuple):
    """The places that a name refers to; if there are none, `near` contains places with similar names, the most similar
    first."""

    places: tuple[Location, ...] = ()
    near: tuple[Location, ...] = ()


def look_up_name(graph: Graph, name: str, most: int = 6) -> NameMatch:
    """Return the definitions (those in source files before those in tests) or files that a name refers to in a tree."""
    name = _AROUND.sub("", name.strip().strip("`'\"")[:LONGEST]).strip()
    at = _AT.fullmatch(name)
    files = _files(graph, at["path"]) if at else []
    if at and files:
        return _find_in_files(graph, files, at["rest"], most) if at["rest"] else NameMatch(tuple(map(Location, files)))
    rest = at["rest"] if at and at["rest"] else name
    parts = [part for part in _MARKS.sub(".", rest).split(".") if part]
    if not parts:
        return NameMatch()
    found = _defining(graph, parts) or _inherited(graph, parts) or [Location(path) for path in _modules(graph, parts)]
    return NameMatch(sort_places(graph, found)) if found else NameMatch(near=find_similar_names(graph, parts, most))


def dotted_name(graph: Graph, place: Location) -> str:
    """Return the dotted name of a definition in its file, or the path of a file."""
    symbol = graph.symbol(place)
    return symbol.name if symbol else place.path


def sort_places(graph: Graph, places: Iterable[Location]) -> tuple[Location, ...]:
    """Sort places: source before tests, outer definitions before inner ones."""

    def rank(place: Location) -> tuple[bool, int, Location]:
        return is_test_file(graph, place.path), dotted_name(graph, place).count(".") if place.symbol >= 0 else 0, place

    return tuple(sorted(dict.fromkeys(places), key=rank))


def find_member(graph: Graph, place: Location, name: str) -> Location | None:
    """Return the direct member of a definition with this name, if there is one."""
    symbols = graph.outline(place.path).symbols
    return next(
        (Location(place.path, n) for n, one in enumerate(symbols) if one.parent == place.symbol and one.bare == name),
        None,
    )


def is_test_file(graph: Graph, path: str) -> bool:
    """Return whether a path is that of a test file; a module whose name matches but that contains no tests does not
    count."""
    if not is_test(path):
        return False
    folder, _, name = path.rpartition("/")
    if not name.startswith("test_") or path not in graph.number or is_test(f"{folder}/x.py"):
        return True
    return any(
        one.bare.startswith(("test", "Test")) or one.bare.endswith("Test") for one in graph.outline(path).symbols
    )


def base_classes(graph: Graph, place: Location) -> list[Link]:
    """Return links to the base classes of a class, excluding links to overridden methods."""
    return [link for link in graph.bases(place) if _is_class(graph, link.place)]


def subclasses(graph: Graph, place: Location) -> list[Link]:
    return [link for link in graph.subclasses(place) if _is_class(graph, link.place)]


def _is_class(graph: Graph, place: Location) -> bool:
    symbol = graph.symbol(place)
    return symbol is not None and symbol.kind == CLASS


def definition_at_line(graph: Graph, path: str, line: int) -> Location:
    """Return the innermost definition that encloses a line, or the file if none does."""
    around = [
        (one.line, -one.end, n) for n, one in enumerate(graph.outline(path).symbols) if one.line <= line <= one.end
    ]
    return Location(path, max(around)[2] if around else -1)


def find_similar_names(graph: Graph, parts: Sequence[str], most: int) -> tuple[Location, ...]:
    """Return places with similar names: in a different case, containing the name, or with a similar spelling."""
    names = _similar_names(parts[-1], graph.names(), 4 * most)
    nodes = graph.nodes_defining(names)
    places = [sort_places(graph, map(graph.place, nodes[name].tolist())) for name in names if name in nodes]
    first = [some[0] for some in places]
    found = list(dict.fromkeys([*first, *(place for some in places for place in some)]))
    if len(parts) > 1:
        found = sorted(found[:MOST_RANKED], key=lambda place: -_similarity(graph, place, parts))
    return tuple(found[:most])


def _similar_names(name: str, names: Iterable[str], most: int) -> list[str]:
    """Return the names that are most similar to `name`; names that differ only in case and underscores come first."""
    wanted = _folded(name)
    folded: dict[str, list[str]] = {}
    for one in sorted(names):
        folded.setdefault(_folded(one), []).append(one)
    partial = [one for one in folded if len(wanted) > 2 and wanted in one]
    partial.sort(key=lambda one: (not one.startswith(wanted), len(one), one))
    close = difflib.get_close_matches(wanted, folded, most, CUTOFF)
    ranked = dict.fromkeys([*[wanted] * (wanted in folded), *close[:1], *partial, *close])
    return [name for one in list(ranked)[:most] for name in folded[one]]


def _similarity(graph: Graph, place: Location, parts: Sequence[str]) -> float:
    """Return how similar the name of a definition and its qualifier are to a dotted name, from 0 to 2."""
    bare = difflib.SequenceMatcher(None, _folded(parts[-1]), _folded(dotted_name(graph, place).rpartition(".")[2]))
    wanted = _folded(parts[-2])
    qualifier = (difflib.SequenceMatcher(None, wanted, _folded(one)).ratio() for one in _qualifier(graph, place))
    return bare.ratio() + max(qualifier, default=0.0)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _files(graph: Graph, path: str) -> list[str]:
    """Return the file with this path, or else the files whose paths end with it."""
    path = path.strip("/").removeprefix("./")
    if path in graph.number:
        return [path]
    return [one for one in graph.paths if one.endswith(f"/{path}")]


def _find_in_files(graph: Graph, files: Sequence[str], rest: str, most: int) -> NameMatch:
    """Return the places in these files that a name or a line number refers to."""
    if rest.isdecimal():
        return NameMatch(tuple(definition_at_line(graph, path, int(rest)) for path in files))
    dotted = ".".join(part for part in _MARKS.sub(".", rest).split(".") if part)
    inside = [(Location(path, n), one) for path in files for n, one in enumerate(graph.outline(path).symbols)]
    found = [place for place, one in inside if f".{one.name}".endswith(f".{dotted}")]
    if found:
        return NameMatch(sort_places(graph, found))
    names: dict[str, Location] = {}
    for place, one in inside:
        names.setdefault(_folded(one.name), place)
        names.setdefault(_folded(one.bare), place)
    wanted = _folded(dotted)
    close = [one for one in names if wanted in one] + difflib.get_close_matches(wanted, names, most, CUTOFF)
    near = dict.fromkeys(names[one] for one in close)
    return NameMatch(near=tuple(near)[:most] or find_similar_names(graph, dotted.split("."), most))


def _defining(graph: Graph, parts: Sequence[str]) -> list[Location]:
    """Return the definitions with a name; its qualifier must be among the names that enclose them."""
    found = graph.defining(".".join(parts))
    if len(parts) == 1:
        return found
    return [place for place in found if parts[-2] in _qualifier(graph, place)]


def _qualifier(graph: Graph, place: Location) -> list[str]:
    """Return the names that enclose a definition, from the outermost folder to the innermost class."""
    module = place.path.rpartition(".")[0].removesuffix("/__init__")
    return [*module.split("/"), *dotted_name(graph, place).split(".")[:-1]]


def _inherited(graph: Graph, parts: Sequence[str]) -> list[Location]:
    """Return the methods that `Class.method` refers to if the method is inherited."""
    if len(parts) < 2:
        return []
    level = [place for place in graph.defining(".".join(parts[:-1])) if place.symbol >= 0]
    seen = set(level)
    for _ in range(DEEPEST):
        level = [link.place for place in level for link in base_classes(graph, place) if link.place not in seen]
        seen.update(level)
        found = [method for place in level if (method := find_member(graph, place, parts[-1]))]
        if found or not level:
            return found
    return []


def _modules(graph: Graph, parts: Sequence[str]) -> list[str]:
    """Return the files that a dotted module name refers to."""
    wanted = "/".join(["", *parts])
    return [path for path in graph.paths if f"/{path.rpartition('.')[0].removesuffix('/__init__')}".endswith(wanted)]
