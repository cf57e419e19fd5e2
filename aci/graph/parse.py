"""From bytes to an outline, with tree-sitter and one file a language."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser, Query, QueryCursor

from aci.graph.outline import BASE, CALL, CLASS, FUNCTION, USE, Binding, Import, Outline, Reference, Symbol
from trajectories.plugins import names

PACKAGE = "aci.graph.languages"
LONGEST_SIGNATURE = 200
_DOTTED = re.compile(r"[^\W\d]\w*(?:\(\))?(?:(?:\.|::|->)[^\W\d]\w*[!?]?)*")
_LAST = re.compile(r"([^\W\d]\w*[!?]?)\s*(?:<[^<>]*>)?$")
_SPACE = re.compile(r"\s+")
_JOINTS = re.compile(r"::|->|\?\.")

Captures = dict[str, list[Node]]


class Parsed(NamedTuple):
    """An outline, and the byte ranges of comments and docstrings, in order: words there are prose."""

    outline: Outline
    prose: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Language:
    """What a file of `aci/graph/languages` says.

    QUERY captures whole definitions as `@function` and `@class`, what is written before them as `@decorated` (around
    the definition), callees as `@call`, base types as `@base`, names and attributes as `@use`, `@comment`, `@doc` (the
    docstring's node, inside its symbol), and what `imports` and `bindings` read as `@import` and `@binding`. Where a
    definition has no field `name`, or its symbol belongs to a type written elsewhere (Go's receivers, Rust's impl
    blocks), `name(node, text)` gives the dotted name, or "" for the usual one.
    """

    name: str
    extensions: tuple[str, ...]
    grammar: Callable[[], object]
    query: str
    imports: Callable[[Node, bytes], Iterator[tuple[str, str, str]]] | None = None
    """(bound, module, name) of an `@import`."""
    bindings: Callable[[Node, bytes], Iterator[tuple[str, str, bool]]] | None = None
    """(target, source, called) of a `@binding`."""
    named: Callable[[Node, bytes], str] | None = None

    def parse(self, data: bytes) -> Parsed:
        """The outline of a file's bytes. Never fails: what the grammar does not understand is left out."""
        parser, query = _tools(self.name)
        root = parser.parse(data).root_node
        found = QueryCursor(query).captures(root)
        symbols = self._symbols(found, data)
        innermost = _innermost(symbols)
        outline = Outline(
            tuple(symbols),
            tuple(_references(found, data, innermost)),
            tuple(self._imports(found, data, innermost)),
            tuple(self._bindings(found, data, innermost)),
            root.has_error,
        )
        prose = sorted((node.start_byte, node.end_byte) for kind in ("comment", "doc") for node in found.get(kind, ()))
        return Parsed(outline, prose)

    def _symbols(self, found: Captures, data: bytes) -> list[Symbol]:
        """In order of their beginnings, so that a parent comes before its children."""
        begun = {}
        for node in found.get("decorated", ()):
            if inner := node.child_by_field_name("definition"):
                begun[inner.start_byte] = (node.start_byte, node.start_point[0])
        docs = {
            node.parent.parent.start_byte: node for node in found.get("doc", ()) if node.parent and node.parent.parent
        }
        nodes = [(node, FUNCTION) for node in found.get("function", ())]
        nodes += [(node, CLASS) for node in found.get("class", ())]
        ranges = [
            (*begun.get(node.start_byte, (node.start_byte, node.start_point[0])), node, kind) for node, kind in nodes
        ]
        symbols: list[Symbol] = []
        open_: list[int] = []
        for start, row, node, kind in sorted(ranges, key=lambda item: (item[0], -item[2].end_byte)):
            stop = node.end_byte
            while open_ and symbols[open_[-1]].stop < stop:
                open_.pop()
            named = node.child_by_field_name("name")
            name = (self.named(node, data) if self.named else "") or (_text(named, data) if named else "")
            if not name:
                continue
            parent = open_[-1] if open_ else -1
            dotted = f"{symbols[parent].name}.{name}" if open_ else name
            body = node.child_by_field_name("body")
            header = data[node.start_byte : body.start_byte if body else stop]
            doc = docs.get(body.start_byte) if body else None
            symbols.append(
                Symbol(
                    dotted,
                    kind,
                    row + 1,
                    node.end_point[0] + 1,
                    (named or node).start_point[0] + 1,
                    start,
                    stop,
                    parent,
                    _one_line(header).rstrip(" :{"),
                    _first_line(_text(doc, data)) if doc else "",
                )
            )
            open_.append(len(symbols) - 1)
        return symbols

    def _imports(self, found: Captures, data: bytes, innermost: _Innermost) -> Iterator[Import]:
        if self.imports:
            for node in sorted(found.get("import", ()), key=_start):
                line, symbol = node.start_point[0] + 1, innermost(node.start_byte)
                yield from (Import(*one, line, symbol) for one in self.imports(node, data))

    def _bindings(self, found: Captures, data: bytes, innermost: _Innermost) -> Iterator[Binding]:
        if self.bindings:
            for node in sorted(found.get("binding", ()), key=_start):
                symbol = innermost(node.start_byte)
                for target, source, called in self.bindings(node, data):
                    yield Binding(target, source, symbol, called)


_Innermost = Callable[[int], int]


def _start(node: Node) -> int:
    return node.start_byte


def _innermost(symbols: Sequence[Symbol]) -> _Innermost:
    """Which symbol a byte belongs to."""
    positions, owners = changes(symbols)

    def at(byte: int) -> int:
        return owners[bisect_right(positions, byte) - 1]

    return at


def changes(symbols: Sequence[Symbol]) -> tuple[list[int], list[int]]:
    """Where the innermost symbol changes, and what it is from there on (-1: none)."""
    positions, owners = [0], [-1]

    def change(position: int, owner: int) -> None:
        if positions[-1] == position:
            owners[-1] = owner
        else:
            positions.append(position)
            owners.append(owner)

    open_: list[int] = []
    for index, symbol in enumerate(symbols):
        while open_ and symbols[open_[-1]].stop <= symbol.start:
            ended = open_.pop()
            change(symbols[ended].stop, open_[-1] if open_ else -1)
        change(symbol.start, index)
        open_.append(index)
    while open_:
        ended = open_.pop()
        change(symbols[ended].stop, open_[-1] if open_ else -1)
    return positions, owners


def _references(found: Captures, data: bytes, innermost: _Innermost) -> Iterator[Reference]:
    for kind in (CALL, BASE, USE):
        for node in found.get(kind, ()):
            start = node.start_byte
            written = data[start : node.end_byte].decode("utf-8", "replace")
            name = written if written.isidentifier() else _dotted(written)
            if name:
                yield Reference(kind, name, node.start_point[0] + 1, innermost(start))


def _dotted(written: str) -> str:
    """A callee or type as a dotted name: `a::b` and `a->b` as `a.b`, what is no name as `?.` and its last part."""
    if len(written) <= 200 and _DOTTED.fullmatch(written):
        return _JOINTS.sub(".", written)
    last = _LAST.search(written[-200:].rstrip())
    return f"?.{last[1]}" if last else ""


def _body(doc: Node) -> Node:
    """The block that a docstring opens."""
    return doc.parent.parent if doc.parent and doc.parent.parent else doc


def _text(node: Node, data: bytes) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _one_line(text: bytes) -> str:
    return _SPACE.sub(" ", text[: 4 * LONGEST_SIGNATURE].decode("utf-8", "replace"))[:LONGEST_SIGNATURE].strip()


def _first_line(doc: str) -> str:
    lines = doc.strip("rRbBuUfF").strip("\"'/*!# \n\t\r").splitlines()
    return lines[0].strip()[:LONGEST_SIGNATURE] if lines else ""


@cache
def _tools(name: str) -> tuple[Parser, Query]:
    language = load(name)
    grammar = Grammar(language.grammar())
    return Parser(grammar), Query(grammar, language.query)


@cache
def load(name: str) -> Language:
    """Raises KeyError for a language nobody wrote a file for."""
    found: Any = import_module(names(PACKAGE)[name])
    language: Language = found.language
    return language
