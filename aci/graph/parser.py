"""From bytes to an outline, with tree-sitter and one file a language."""

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

from aci.graph.definitions import Captures, symbols
from aci.graph.outline import BASE, CALL, USE, Binding, Import, Outline, Reference, Symbol
from trajectories.plugins import names

PACKAGE = "aci.graph.languages"
LONGEST_NAME = 200
"""Bytes; of a longer expression only the end is read."""

DEEPEST = 1000
"""Levels of the syntax tree that are looked at: a query takes the square of the depth, and code by hand has few."""

WIDEST = 10_000
"""Tokens side by side without a name among them: a query takes the square of their number too."""

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
"""First byte, and the one behind."""


class Parsed(NamedTuple):
    """An outline, and the byte ranges of comments and docstrings, in order: words there are prose."""

    outline: Outline
    prose: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Language:
    """What a file of `aci/graph/languages` says.

    The query captures whole definitions as `@function` and `@class`; as `@decorated` a node around a definition that is
    its last child, as `@before` one that stands before it, such as Rust's attributes; `@comment`, and `@doc`, a
    docstring where a body begins (without any, the comments right above a definition are its docs); callees as `@call`,
    calls whose callee ends with their field `name` or `method` as `@invocation`, base types as `@base`, names in other
    places as `@use`, or as `@name` where one counts only if its first part is imported, defined in the file, or `self`
    and the like; as `@member` what is a call where a parenthesis follows, else such a name; and what `imports` and
    `bindings` read as `@import` and `@binding`.
    """

    name: str
    extensions: tuple[str, ...]
    """Of file names, in lower case, without the dot."""
    grammar: Callable[[], object]
    """Imports the grammar and returns its pointer."""
    query: str
    imports: Callable[[Node, bytes], Iterator[tuple[str, str, str]]] | None = None
    """(bound, module, name) of an `@import`."""
    bindings: Callable[[Node, bytes], Iterator[tuple[str, str, bool]]] | None = None
    """(target, source, called) of a `@binding`."""
    named: Callable[[Node, bytes], str] | None = None
    """The name of a definition that has no field `name` or belongs to a type named elsewhere; else ""."""
    files: tuple[str, ...] = ()
    """Whole file names that mean the language too."""

    def parse(self, data: bytes) -> Parsed:
        """The outline of a file's bytes. Never fails: what the grammar does not understand is left out."""
        parser, query = _tools(self.name)
        root = parser.parse(data).root_node
        if len(data) > WIDEST and (_is_punctuation(data) or (root.has_error and _is_rubble(root))):
            return Parsed(Outline(broken=True), [])
        cursor = QueryCursor(query)
        cursor.set_max_start_depth(DEEPEST)
        found = cursor.captures(root)
        defined = symbols(found, data, self.named, "@doc" in self.query)
        around = changes(defined)
        imports = list(self._imports(found, data, around))
        known = _OWN.union((one.bound for one in imports), (one.name for one in defined if one.parent < 0))
        bindings = tuple(self._bindings(found, data, around))
        known = known.union(one.target for one in bindings if one.source.partition(".")[0] in known)
        references = _references(found, data, around, known)
        outline = Outline(tuple(defined), tuple(references), tuple(imports), bindings, root.has_error)
        prose = [(node.start_byte, node.end_byte) for kind in ("comment", "doc") for node in found.get(kind, ())]
        return Parsed(outline, sorted(prose))

    def _imports(self, found: Captures, data: bytes, around: Around) -> Iterator[Import]:
        if self.imports:
            for node in sorted(found.get("import", ()), key=_start):
                line, symbol = node.start_point[0] + 1, _at(node.start_byte, around)
                for bound, module, name in self.imports(node, data):
                    yield Import(bound, module, name, line, symbol)

    def _bindings(self, found: Captures, data: bytes, around: Around) -> Iterator[Binding]:
        if self.bindings:
            new = tuple.__new__
            for node in sorted(found.get("binding", ()), key=_start):
                symbol = _at(node.start_byte, around)
                for target, source, called in self.bindings(node, data):
                    yield new(Binding, (target, source, symbol, called))


_KINDS = bytes(32 if not (chr(byte).isalnum() or byte == 95 or byte > 127) else 97 for byte in range(256))


def _is_punctuation(data: bytes) -> bool:
    """Whether so many tokens that name nothing follow one another."""
    return b" " * WIDEST in data.translate(_KINDS, b" \t\r\n\f")


def _is_rubble(root: Node) -> bool:
    """Whether the parser gave up, and left so many tokens side by side."""
    open_ = [root]
    while open_:
        node = open_.pop()
        if node.child_count > WIDEST:
            return True
        open_ += [child for child in node.children if child.has_error]
    return False


Around = tuple[list[int], list[int]]
"""Where the innermost symbol changes, and what it is from there on (-1: none)."""


def changes(symbols: Sequence[Symbol]) -> Around:
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


def _at(byte: int, around: Around) -> int:
    return around[1][bisect_right(around[0], byte) - 1]


def _references(found: Captures, data: bytes, around: Around, known: frozenset[str]) -> list[Reference]:
    """In order of their lines; of those that are alike in one symbol the first.

    This is where most of the time goes that is ours, hence its plain loops.
    """
    positions, owners = around
    first: dict[tuple[str, str, int], int] = {}
    taken = set()
    members, names = _called(found.get("member", ()), data)
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
            key = name, CALL, _at(node.start_byte, around)
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
    return _placed(sorted(first.items(), key=_start_and_name), data)


def _spans(nodes: Sequence[Node]) -> list[Span]:
    return [(node.start_byte, node.end_byte) for node in nodes]


def _called(members: Sequence[Node], data: bytes) -> tuple[list[Span], list[Span]]:
    """Those that a parenthesis follows, and the others."""
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
    """Of those with one start the longest (`a.b.c`, not `a.b`): start -> stop."""
    longest: dict[int, int] = {}
    for start, stop in spans:
        if start not in taken and longest.get(start, 0) < stop:
            longest[start] = stop
    return longest


def _placed(rows: Iterable[tuple[tuple[str, str, int], int]], data: bytes) -> list[Reference]:
    """References from their names, kinds and symbols, and their bytes, in order."""
    placed = []
    line, at, new, count = 1, 0, tuple.__new__, data.count
    for (name, kind, symbol), start in rows:
        line += count(b"\n", at, start)
        at = start
        placed.append(new(Reference, (kind, name, line, symbol)))
    return placed


def _end(data: bytes, start: int, stop: int) -> bytes:
    """An expression, or where it is long its end, in a form that is no name."""
    return data[start:stop] if stop - start <= LONGEST_NAME else b"?" + data[stop - LONGEST_NAME : stop]


@lru_cache(maxsize=100_000)
def _name(written: bytes) -> str:
    """An expression as a reference's name, or "": `a::b` and `a->b` are `a.b`, `A(x).b` is `A().b`."""
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
    language = load(name)
    grammar = Grammar(language.grammar())
    return Parser(grammar), Query(grammar, language.query)


@cache
def load(name: str) -> Language:
    """Raises KeyError for a language nobody wrote a file for."""
    found: Any = import_module(names(PACKAGE)[name])
    language: Language = found.language
    return language


@cache
def by_file_name() -> dict[str, str]:
    """Extension with its dot, or whole file name -> language, of all languages. Imports their files, no grammar."""
    table: dict[str, str] = {}
    for name in names(PACKAGE):
        language = load(name)
        table |= dict.fromkeys([f".{extension}" for extension in language.extensions], name)
        table |= dict.fromkeys(language.files, name)
    return table
