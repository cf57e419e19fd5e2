"""What an issue names outright: paths, lines behind links, traceback frames, classes, functions, methods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from aci.graph.graph import Graph
from aci.graph.outline import CLASS, FUNCTION
from aci.issue_run import Traced
from aci.localization.paths import Paths
from aci.localization.signals import Flags
from aci.mentions import BLOCK, INSIDE, TITLE, Mentions, like_code

MOST_MEANT = 20
"""A name that more definitions have says nothing."""


class Pointer(NamedTuple):
    """`file` or `node` (-1 for the file as a whole) is named; `kind` is the signal that it gives."""

    kind: str
    file: int
    node: int
    value: float
    why: str


class Pointers:
    """All that one issue's text names in a tree."""

    def __init__(self, graph: Graph, wanted: Flags, said: Mentions, traced: Traced | None = None) -> None:
        self._graph, self._said, self._wanted = graph, said, wanted
        self._traced = traced or Traced()
        self._paths = Paths(graph.paths, wanted.nonzero()[0].tolist())

    @cached_property
    def all(self) -> list[Pointer]:
        return [
            *self._written_paths(),
            *self._links(),
            *self._frames(),
            *self._ran(),
            *self._names(),
            *self._methods(),
        ]

    def _written_paths(self) -> Iterator[Pointer]:
        for mentioned in self._said.paths:
            found = self._paths.at(mentioned) or self._paths.module(mentioned.replace("/", "."))
            for file in found:
                yield Pointer("path", file, -1, 1 / len(found), f"path {mentioned} in the issue")

    def _links(self) -> Iterator[Pointer]:
        for link in self._said.links:
            for file in self._paths.at(link.path)[:1]:
                yield Pointer("link", file, -1, 1.0, f"link to {_lines(link.line, link.last) or 'it'}")
                if link.line:
                    for node in self._functions_in(file, link.line, link.last):
                        yield Pointer("link", file, node, 1.0, f"link to {_lines(link.line, link.last)}")

    def _functions_in(self, file: int, first: int, last: int) -> list[int]:
        symbols = self._graph.outline(self._graph.paths[file]).symbols
        start = int(self._graph.first[file]) + 1
        return [
            start + number
            for number, symbol in enumerate(symbols)
            if symbol.kind == FUNCTION and symbol.line <= last and first <= symbol.end
        ]

    def _frames(self) -> Iterator[Pointer]:
        """The innermost frame of each file and function that is ours, by their distance from where it was raised."""
        files: dict[int, None] = {}
        nodes: dict[int, int] = {}
        for frame in reversed(self._said.frames):
            for file in self._paths.at(frame.path)[:1]:
                files.setdefault(file)
                if (node := self._function(file, frame.name, frame.line)) is not None:
                    nodes.setdefault(node, file)
        for place, file in enumerate(files):
            yield Pointer("trace", file, -1, 1 / (1 + place), "in the traceback" + _innermost(place))
        for place, (node, file) in enumerate(nodes.items()):
            yield Pointer("trace", file, node, 1 / (1 + place), "in the traceback" + _innermost(place))

    def _ran(self) -> Iterator[Pointer]:
        """What the issue's own code called, the less worth the more it called, and where it raised."""
        called = [(one.path, one.line) for one in self._traced.functions if self._is_source(one.path)]
        value = 1 / (1 + math.log10(max(len(called), 1)))
        for path, line in called:
            file = self._graph.number[path]
            for node in self._begins(file, line):
                yield Pointer("ran", file, node, value, "runs in the issue's example")
        raised = [frame for frame in reversed(self._traced.raised) if self._is_source(frame[0])]
        for place, (path, line, name) in enumerate(raised):
            file = self._graph.number[path]
            found = self._function(file, name, line)
            yield Pointer(
                "trace", file, -1 if found is None else found, 1 / (1 + place), "the example raises through it"
            )

    def _is_source(self, path: str) -> bool:
        file = self._graph.number.get(path)
        return file is not None and bool(self._wanted[file])

    def _begins(self, file: int, line: int) -> list[int]:
        """The function that begins at a line, decorators counted or not: interpreters differ."""
        symbols = self._graph.outline(self._graph.paths[file]).symbols
        start = int(self._graph.first[file]) + 1
        return [start + n for n, symbol in enumerate(symbols) if symbol.line <= line <= symbol.header][-1:]

    def _function(self, file: int, name: str, line: int) -> int | None:
        symbols = self._graph.outline(self._graph.paths[file]).symbols
        named = [n for n, symbol in enumerate(symbols) if symbol.bare == name and symbol.kind == FUNCTION]
        around = [n for n in named if symbols[n].line <= line <= symbols[n].end]
        nearest = around[-1:] or sorted(named, key=lambda n: abs(symbols[n].line - line))[:1]
        return int(self._graph.first[file]) + 1 + nearest[0] if nearest else None

    def _names(self) -> Iterator[Pointer]:
        for name, nodes in self._definitions(self._said.names):
            classes = [node for node in nodes if self._kind(node) == CLASS]
            functions = [node for node in nodes if self._kind(node) == FUNCTION]
            places = self._said.names[name]
            strong = like_code(name) or name in self._said.called or bool(places & {INSIDE, BLOCK})
            where = " in the title" if TITLE in places else " in the issue"
            if strong or name[0].isupper():
                yield from self._named("class", classes, name, TITLE in places, where)
            if strong and not name.startswith("__"):
                yield from self._named("function", functions, name, TITLE in places, where)
                if name in self._said.called:
                    yield from self._named("called", functions, f"{name}()", False, where)

    def _named(self, kind: str, nodes: list[int], name: str, in_title: bool, where: str) -> Iterator[Pointer]:
        value = 1 / math.sqrt(max(len(nodes), 1))
        for node in nodes:
            file = int(self._graph.file[node])
            yield Pointer(kind, file, node, value, f"{name}{where}")
            if in_title:
                yield Pointer(f"{kind}_in_title", file, node, value, f"{name}{where}")

    def _methods(self) -> Iterator[Pointer]:
        """`Class.method`, where the class or module before it is the right one."""
        ends = dict.fromkeys(tuple(dotted.split(".")[-2:]) for dotted in self._said.dotted)
        known = dict(self._definitions({name for _, name in ends}))
        for owner, name in ends:
            owned = [node for node in known.get(name, ()) if self._owner(node) == owner]
            for node in owned:
                file = int(self._graph.file[node])
                yield Pointer("method", file, node, 1 / math.sqrt(len(owned)), f"{owner}.{name} in the issue")

    def _definitions(self, names: Iterable[str]) -> Iterator[tuple[str, list[int]]]:
        for name, nodes in self._graph.nodes_defining(sorted(names)).items():
            ours = [node for node in sorted(nodes.tolist()) if self._wanted[self._graph.file[node]]]
            if 0 < len(ours) <= MOST_MEANT:
                yield name, ours

    def _kind(self, node: int) -> str:
        symbol = self._graph.symbol(self._graph.place(node))
        return symbol.kind if symbol else ""

    def _owner(self, node: int) -> str:
        """The class around a definition, else its module's last name."""
        place = self._graph.place(node)
        symbol = self._graph.symbol(place)
        around = symbol.name.rpartition(".")[0].rpartition(".")[2] if symbol else ""
        return around or place.path.rpartition(".")[0].removesuffix("/__init__").rpartition("/")[2]


def _lines(first: int, last: int) -> str:
    return f"lines {first}-{last}" if last > first else f"line {first}" if first else ""


def _innermost(place: int) -> str:
    return " (innermost)" if not place else ""
