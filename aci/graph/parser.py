"""Parsing of source code to outlines, with tree-sitter and one module per language."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser, Query, QueryCursor

from aci.graph.outline import BASE, CALL, USE, Binding, Import, Outline, Reference, Symbol
from aci.graph.symbol_definitions import Captures, find_symbols
from trajectories.plugins import names

PACKAGE = "aci.graph.languages"
LONGEST_NAME = 200
"""Maximum number of bytes of an expression; longer expressions are truncated."""

DEEPEST = 1000
"""Maximum depth of the syntax tree that is searched: a query takes quadratic time in the depth, and real code is not
deep."""

WIDEST = 10_000
"""Maximum number of consecutive punctuation tokens; files with more are skipped, since query time is quadratic in their
number."""

_OWN = frozenset(("self", "cls", "super()", "this", "super"))
_NO_USE = _OWN | {""}
_PART = r"(?:[^\W\d]|\$)[\w$]*[!?]?"
_DOTTED = re.compile(rf"@{{0,2}}{_PART}(?:\(\))?(?:\.#?{_PART})*")
_CALLED = re.compile(rf"({_PART}(?:\.{_PART})*)\((?:[^()]|\([^()]*\))*\)((?:\.{_PART})+)")
_LAST = re.compile(rf"({_PART})\s*$")
_GENERIC = re.compile(r"(?:::)?<[^<>]*>")
_JOINING = frozenset(":>?&\\")
_JOINTS = re.compile(r"\$?(\w*)(?:::|\??->)|\?\.|&\.|\\")
_start = attrgetter("start_byte")
_start_and_name = itemgetter(1, 0)
Span = tuple[int, int]
"""The offsets of the first byte and of the byte after the last."""


class Parsed(NamedTuple):
    """An outline, and the byte ranges of comments and docstrings (prose), in order."""

    outline: Outline
    prose: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Language:
    """The definition of a language, made by a module of `aci/graph/languages`.

    The query captures:

    - `@function`, `@class`: whole definitions.
    - `@decorated`: a node whose last child is a definition; `@before`: a node before a definition, such as an attribute
      in Rust.
    - `@comment`; `@doc`: a docstring at the start of a body. If a query has no `@doc`, the comments right above a
      definition are its documentation.
    - `@call`: callees; `@invocation`: calls whose callee ends with their field `name` or `method`.
    - `@base`: base types.
    - `@use`: names in other places; `@name`: names that count only if their first part is imported, defined in the
      file, or `self` or the like.
    - `@member`: a call if a parenthesis follows, else as `@name`.
    - `@import`, `@binding`: nodes that `imports` and `bindings` read.
    """

    name: str
    extensions: tuple[str, ...]
    """Extensions of file names, in lower case, without the dot."""
    grammar: Callable[[], object]
    """Imports the grammar and returns its pointer."""
    query: str
    imports: Callable[[Node, bytes], Iterator[tuple[str, str, str]]] | None = None
    """Yields (bound, module, name) for an `@import`."""
    bindings: Callable[[Node, bytes], Iterator[tuple[str, str, bool]]] | None = None
    """Yields (target, source, called) for a `@binding`."""
    named: Callable[[Node, bytes], str] | None = None
    """Returns the name of a definition that has no field `name` or belongs to a type named elsewhere, else ""."""
    files: tuple[str, ...] = ()
    """Whole file names of the language, in addition to its extensions."""

    def parse(self, data: bytes) -> Parsed:
        """Parse a file's bytes. Never fails: code that the grammar does not understand is left out."""
        parser, query = _tools(self.name)
        root = parser.parse(data).root_node
        if len(data) > WIDEST and (_is_punctuation(data) or (root.has_error and _has_wide_node(root))):
            return Parsed(Outline(broken=True), [])
        cursor = QueryCursor(query)
        cursor.set_max_start_depth(DEEPEST)
        found = cursor.captures(root)
        defined = find_symbols(found, data, self.named, "@doc" in self.query)
        around = symbol_boundaries(defined)
        imports = list(self._imports(found, data, around))
        known = _OWN.union((one.bound for one in imports), (one.name for one in defined if one.parent < 0))
        bindings = tuple(self._bindings(found, data, around))
        known = known.union(one.target for one in bindings if one.source.partition(".")[0] in known)
        references = _references(found, data, around, known)
        outline = Outline(tuple(defined), tuple(references), tuple(imports), bindings, root.has_error)
        prose = [(node.start_byte, node.end_byte) for kind in ("comment", "doc") for node in found.get(kind, ())]
        return Parsed(outline, sorted(prose))

    def _imports(self, found: Captures, data: bytes, around: SymbolBoundaries) -> Iterator[Import]:
        if self.imports:
            for node in sorted(found.get("import", ()), key=_start):
                line, symbol = node.start_point[0] + 1, _symbol_at(node.start_byte, around)
                for bound, module, name in self.imports(node, data):
                    yield Import(bound, module, name, line, symbol)

    def _bindings(self, found: Captures, data: bytes, around: SymbolBoundaries) -> Iterator[Binding]:
        if self.bindings:
            new = tuple.__new__
            for node in sorted(found.get("binding", ()), key=_start):
                symbol = _symbol_at(node.start_byte, around)
                for target, source, called in self.bindings(node, data):
                    yield new(Binding, (target, source, symbol, called))


_KINDS = bytes(32 if not (chr(byte).isalnum() or byte == 95 or byte > 127) else 97 for byte in range(256))


def _is_punctuation(data: bytes) -> bool:
    """Return whether the data contains WIDEST or more consecutive punctuation characters, ignoring white space."""
    return b" " * WIDEST in data.translate(_KINDS, b" \t\r\n\f")


def _has_wide_node(root: Node) -> bool:
    """Return whether a node with errors has more than WIDEST children."""
    open_ = [root]
    while open_:
        node = open_.pop()
        if node.child_count > WIDEST:
            return True
        open_ += [child for child in node.children if child.has_error]
    return False


SymbolBoundaries = tuple[list[int], list[int]]
"""The positions at which the innermost symbol changes, and the innermost symbol from each position on (-1 for none)."""


def symbol_boundaries(symbols: Sequence[Symbol]) -> SymbolBoundaries:
    """Return the positions at which the innermost symbol changes, with the symbols."""
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


def _symbol_at(byte: int, around: SymbolBoundaries) -> int:
    return around[1][bisect_right(around[0], byte) - 1]


def _references(found: Captures, data: bytes, around: SymbolBoundaries, known: frozenset[str]) -> list[Reference]:
    """Return the references in the order of their lines; duplicates within a symbol are reported once, at their first
    occurrence.

    Apart from tree-sitter, most of the parsing time is spent here, hence the plain loops.
    """
    positions, owners = around
    first: dict[tuple[str, str, int], int] = {}
    taken = set()
    members, names = _split_calls(found.get("member", ()), data)
    for kind, spans in ((CALL, _spans(found.get(CALL, ()))), (CALL, members), (BASE, _spans(found.get(BASE, ())))):
        for start, stop in spans:
            taken.add(start)
            if name := _name(data[start:stop] if stop - start <= LONGEST_NAME else _end(data, start, stop)):
                key = name, kind, owners[bisect_right(positions, start) - 1]
                if first.setdefault(key, start) > start:
                    first[key] = start
    for node in found.get("invocation", ()):
        last = node.child_by_field_name("name") or node.child_by_field_name("method")
        if last and (name := _name(_end(data, node.start_byte, last.end_byte))):
            taken.add(node.start_byte)
            key = name, CALL, _symbol_at(node.start_byte, around)
            first[key] = min(first.get(key, last.start_byte), last.start_byte)
    roots = {root.encode() for root in known}
    for spans, only in ((_spans(found.get(USE, ())), None), (_spans(found.get("name", ())) + names, roots)):
        for start, stop in _longest(spans, taken).items():
            written = data[start:stop] if stop - start <= LONGEST_NAME else data[start : start + LONGEST_NAME]
            if (only is None or written.partition(b".")[0] in only) and (name := _name(written)) not in _NO_USE:
                taken.add(start)
                key = name, USE, owners[bisect_right(positions, start) - 1]
                if first.setdefault(key, start) > start:
                    first[key] = start
    return _with_lines(sorted(first.items(), key=_start_and_name), data)


def _spans(nodes: Sequence[Node]) -> list[Span]:
    return [(node.start_byte, node.end_byte) for node in nodes]


def _split_calls(members: Sequence[Node], data: bytes) -> tuple[list[Span], list[Span]]:
    """Return the spans followed by a parenthesis, and all other spans."""
    called, others = [], []
    data += b"\n"
    for node in members:
        stop = node.end_byte
        after = data[stop]
        if after == 40 or (after == 32 and data[stop : stop + 40].lstrip()[:1] == b"("):
            called.append((node.start_byte, stop))
        else:
            others.append((node.start_byte, stop))
    return called, others


def _longest(spans: Iterable[Span], taken: set[int]) -> dict[int, int]:
    """Return the longest span for each start (`a.b.c`, not `a.b`), as a map from start to stop."""
    longest: dict[int, int] = {}
    for start, stop in spans:
        if start not in taken and longest.get(start, 0) < stop:
            longest[start] = stop
    return longest


def _with_lines(rows: Iterable[tuple[tuple[str, str, int], int]], data: bytes) -> list[Reference]:
    """Return references with line numbers for ((name, kind, symbol), first byte) rows, which must be sorted by byte."""
    references = []
    line, at, new, count = 1, 0, tuple.__new__, data.count
    for (name, kind, symbol), start in rows:
        line += count(b"\n", at, start)
        at = start
        references.append(new(Reference, (kind, name, line, symbol)))
    return references


def _end(data: bytes, start: int, stop: int) -> bytes:
    """Return an expression; a long one is shortened to `?` and its end, so that it is not mistaken for a name."""
    return data[start:stop] if stop - start <= LONGEST_NAME else b"?" + data[stop - LONGEST_NAME : stop]


@lru_cache(maxsize=100_000)
def _name(written: bytes) -> str:
    """Return a reference's name for an expression, or "": `a::b` and `a->b` are `a.b`, `A(x).b` is `A().b`."""
    text = written.decode("utf-8", "replace")
    if text.replace(".", "_").isidentifier():
        return text
    if not text.isascii() or not text.isprintable() or " " in text:
        text = "".join(text.removeprefix("new ").split())
    if "<" in text:
        text = _GENERIC.sub("", text)
    if not _JOINING.isdisjoint(text):
        text = _JOINTS.sub(r"\1.", text)
    text = text.lstrip(".")
    if _DOTTED.fullmatch(text):
        return text
    if ")." in text and (called := _CALLED.fullmatch(text)):
        return f"{called[1]}(){called[2]}"
    end = text.rpartition(".")[2]
    if end.isidentifier():
        return f"?.{end}"
    last = _LAST.search(text)
    return f"?.{last[1]}" if last else ""


@cache
def _tools(name: str) -> tuple[Parser, Query]:
    language = load_language(name)
    grammar = Grammar(language.grammar())
    return Parser(grammar), Query(grammar, language.query)


def parse_syntax(name: str, data: bytes) -> Node:
    """Return the root of the syntax tree of a file in a language. It may contain errors, see `Node.has_error`."""
    return Parser(Grammar(load_language(name).grammar())).parse(data).root_node


@cache
def load_language(name: str) -> Language:
    """Return a language by name. Raises KeyError for one that is not supported."""
    found: Any = import_module(names(PACKAGE)[name])
    language: Language = found.language
    return language


@cache
def languages_by_file_name() -> dict[str, str]:
    """Return the language of each extension (with its dot) and whole file name. Does not import any grammar."""
    table: dict[str, str] = {}
    for name in names(PACKAGE):
        language = load_language(name)
        table |= dict.fromkeys([f".{extension}" for extension in language.extensions], name)
        table |= dict.fromkeys(language.files, name)
    return table
