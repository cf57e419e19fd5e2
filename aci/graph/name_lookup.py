"""From a name as somebody writes it to the places that it means, and to the nearest where nothing is called so.

Forms: `name`, `Class.method`, `module.name`, `module::name`, `Class#method`, `path.py`, `path.py:name`, `path.py:12`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aci.graph.graph import Graph, Link
from aci.graph.outline import CLASS, Place
from aci.patch import is_test

ALIKE = 0.65
MOST_RANKED = 500
"""Definitions of which those that stand in the like of what was asked for come first."""
LONGEST = 500
"""Characters of a name; what comes behind is not read."""
DEEPEST = 10
"""Levels of base classes that are looked through for a method."""

_AT = re.compile(r"(?P<path>[^:#]+\.[A-Za-z]\w{0,4}|[^:#]*/[^:#]*)(?:(?:::?|#)(?P<rest>.+))?")
_MARKS = re.compile(r"::|#|->|/")
_AROUND = re.compile(r"^(?:async |def |class |function |fn |func )+|\(.*\)$")


class Meant(NamedTuple):
    """`places` are called so; where there are none, `near` are called much like it, nearest first."""

    places: tuple[Place, ...] = ()
    near: tuple[Place, ...] = ()


def meant(graph: Graph, name: str, most: int = 6) -> Meant:
    """What a name means in a tree: definitions, source before tests, or a file."""
    name = _AROUND.sub("", name.strip().strip("`'\"")[:LONGEST]).strip()
    at = _AT.fullmatch(name)
    files = _files(graph, at["path"]) if at else []
    if at and files:
        return _inside(graph, files, at["rest"], most) if at["rest"] else Meant(tuple(map(Place, files)))
    rest = at["rest"] if at and at["rest"] else name
    parts = [part for part in _MARKS.sub(".", rest).split(".") if part]
    if not parts:
        return Meant()
    found = _defining(graph, parts) or _inherited(graph, parts) or [Place(path) for path in _modules(graph, parts)]
    return Meant(ordered(graph, found)) if found else Meant(near=nearest(graph, parts, most))


def whole_name(graph: Graph, place: Place) -> str:
    """The dotted name in its file; the path of a file."""
    symbol = graph.symbol(place)
    return symbol.name if symbol else place.path


def ordered(graph: Graph, places: Iterable[Place]) -> tuple[Place, ...]:
    """Source before tests, what stands outermost first."""

    def rank(place: Place) -> tuple[bool, int, Place]:
        return is_test_file(graph, place.path), whole_name(graph, place).count(".") if place.symbol >= 0 else 0, place

    return tuple(sorted(dict.fromkeys(places), key=rank))


def child(graph: Graph, place: Place, name: str) -> Place | None:
    """What stands directly in a definition under that name."""
    symbols = graph.outline(place.path).symbols
    return next(
        (Place(place.path, n) for n, one in enumerate(symbols) if one.parent == place.symbol and one.bare == name), None
    )


def is_test_file(graph: Graph, path: str) -> bool:
    """Whether a path is a test's; a module that only looks so by its name, and holds no test, is none."""
    if not is_test(path):
        return False
    folder, _, name = path.rpartition("/")
    if not name.startswith("test_") or path not in graph.number or is_test(f"{folder}/x.py"):
        return True
    return any(
        one.bare.startswith(("test", "Test")) or one.bare.endswith("Test") for one in graph.outline(path).symbols
    )


def base_classes(graph: Graph, place: Place) -> list[Link]:
    """The base classes of a class, without the methods that its own override."""
    return [link for link in graph.bases(place) if _is_class(graph, link.place)]


def subclasses(graph: Graph, place: Place) -> list[Link]:
    return [link for link in graph.subclasses(place) if _is_class(graph, link.place)]


def _is_class(graph: Graph, place: Place) -> bool:
    symbol = graph.symbol(place)
    return symbol is not None and symbol.kind == CLASS


def at_line(graph: Graph, path: str, line: int) -> Place:
    """The innermost definition that holds a line, else the file."""
    holding = [
        (one.line, -one.end, n) for n, one in enumerate(graph.outline(path).symbols) if one.line <= line <= one.end
    ]
    return Place(path, max(holding)[2] if holding else -1)


def nearest(graph: Graph, parts: Sequence[str], most: int) -> tuple[Place, ...]:
    """What is called much like a dotted name: in another case, with more around it, or written alike."""
    names = _alike(parts[-1], graph.names(), 4 * most)
    there = graph.nodes_defining(names)
    places = [ordered(graph, map(graph.place, there[name].tolist())) for name in names if name in there]
    first = [some[0] for some in places]
    found = list(dict.fromkeys([*first, *(place for some in places for place in some)]))
    if len(parts) > 1:
        found = sorted(found[:MOST_RANKED], key=lambda place: -_likeness(graph, place, parts))
    return tuple(found[:most])


def _alike(name: str, names: Iterable[str], most: int) -> list[str]:
    """The names that are most like one."""
    wanted = _folded(name)
    folded: dict[str, list[str]] = {}
    for one in sorted(names):
        folded.setdefault(_folded(one), []).append(one)
    partial = [one for one in folded if len(wanted) > 2 and wanted in one]
    partial.sort(key=lambda one: (not one.startswith(wanted), len(one), one))
    alike = difflib.get_close_matches(wanted, folded, most, ALIKE)
    ranked = dict.fromkeys([*[wanted] * (wanted in folded), *alike[:1], *partial, *alike])
    return [name for one in list(ranked)[:most] for name in folded[one]]


def _likeness(graph: Graph, place: Place, parts: Sequence[str]) -> float:
    """How much a definition is written like a dotted name, what it stands in included."""
    bare = difflib.SequenceMatcher(None, _folded(parts[-1]), _folded(whole_name(graph, place).rpartition(".")[2]))
    wanted = _folded(parts[-2])
    around = (difflib.SequenceMatcher(None, wanted, _folded(one)).ratio() for one in _around(graph, place))
    return bare.ratio() + max(around, default=0.0)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _files(graph: Graph, path: str) -> list[str]:
    """The files that a path means: itself, those whose paths end with it, or with its last parts."""
    path = path.strip("/").removeprefix("./")
    if path in graph.number:
        return [path]
    return [one for one in graph.paths if one.endswith(f"/{path}")]


def _inside(graph: Graph, files: Sequence[str], rest: str, most: int) -> Meant:
    """What a name or a line means in these files."""
    if rest.isdecimal():
        return Meant(tuple(at_line(graph, path, int(rest)) for path in files))
    dotted = ".".join(part for part in _MARKS.sub(".", rest).split(".") if part)
    inside = [(Place(path, n), one) for path in files for n, one in enumerate(graph.outline(path).symbols)]
    found = [place for place, one in inside if f".{one.name}".endswith(f".{dotted}")]
    if found:
        return Meant(ordered(graph, found))
    names: dict[str, Place] = {}
    for place, one in inside:
        names.setdefault(_folded(one.name), place)
        names.setdefault(_folded(one.bare), place)
    wanted = _folded(dotted)
    close = [one for one in names if wanted in one] + difflib.get_close_matches(wanted, names, most, ALIKE)
    there = dict.fromkeys(names[one] for one in close)
    return Meant(near=tuple(there)[:most] or nearest(graph, dotted.split("."), most))


def _defining(graph: Graph, parts: Sequence[str]) -> list[Place]:
    """The definitions of that name; with a qualifier only those that stand in what it names."""
    found = graph.defining(".".join(parts))
    if len(parts) == 1:
        return found
    return [place for place in found if parts[-2] in _around(graph, place)]


def _around(graph: Graph, place: Place) -> list[str]:
    """The names of what a definition stands in, from the outermost folder to the innermost class."""
    module = place.path.rpartition(".")[0].removesuffix("/__init__")
    return [*module.split("/"), *whole_name(graph, place).split(".")[:-1]]


def _inherited(graph: Graph, parts: Sequence[str]) -> list[Place]:
    """`Class.method` where a base class defines the method."""
    if len(parts) < 2:
        return []
    level = [place for place in graph.defining(".".join(parts[:-1])) if place.symbol >= 0]
    seen = set(level)
    for _ in range(DEEPEST):
        level = [link.place for place in level for link in base_classes(graph, place) if link.place not in seen]
        seen.update(level)
        found = [method for place in level if (method := child(graph, place, parts[-1]))]
        if found or not level:
            return found
    return []


def _modules(graph: Graph, parts: Sequence[str]) -> list[str]:
    """The files that a dotted module name means."""
    wanted = "/".join(["", *parts])
    return [path for path in graph.paths if f"/{path.rpartition('.')[0].removesuffix('/__init__')}".endswith(wanted)]
