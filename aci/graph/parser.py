"""Parsing of source code to outlines, with tree-sitter and one module per language.

Of a very large tree, only the part that a question is about is parsed, since all of its files would take minutes. The
files are chosen by their words alone: each is read once, and its words are weighed by their rarity in the tree.

Symbols (names, extents, signatures and documentation) are made from captured syntax nodes.
"""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from tree_sitter import Language as Grammar
from tree_sitter import Node, Parser, Query, QueryCursor

from aci.graph.outline import BASE, CALL, CLASS, FUNCTION, USE, Binding, Import, Outline, Reference, Symbol
from aci.issue_text.issue_mentions import count_terms, split_identifier
from aci.repository.file_blobs import Blobs
from trajectories import plugins
from trajectories.plugins import names

Captures = dict[str, list[Node]]
Named = Callable[[Node, bytes], str]

LONGEST_SIGNATURE = 200
DEEPEST_SYMBOL = 30
"""Maximum nesting depth of symbols; deeper symbols are left out, since their dotted names would take quadratic
space."""

_MARKS = re.compile(r"^\s*(?:/\*[*!]*|\*(?!/)|//[/!]*|#+)?\s?|\s*\*+/\s*$")
_place = itemgetter(0, 1)


def find_symbols(found: Captures, data: bytes, named: Named | None, docstrings: bool) -> list[Symbol]:
    """Return the symbols in the order of their starts, so that a parent comes before its children.

    Without `docstrings`, the comments right above a definition are its documentation.
    """
    begins, comments = _begins(found), _Comments(found, data, docstrings)
    result: list[Symbol] = []
    open_: list[int] = []
    for start, _, row, node, kind in sorted(_ranges(found, begins), key=_place):
        while open_ and result[open_[-1]].stop <= start:
            open_.pop()
        title = _title(node)
        name = (named(node, data) if named else "") or (_text(title, data).replace("::", ".") if title else "")
        if not name or len(open_) >= DEEPEST_SYMBOL or (open_ and result[open_[-1]].start == start):
            continue
        body = _body(node)
        stop = comments.without_tail(node.end_byte)
        parent = -1
        if open_:
            parent = open_[-1]
            name = f"{result[parent].name}.{name}"
            stop = min(stop, result[parent].stop)
        end = node.end_point[0] + 1 - data.count(b"\n", stop, node.end_byte)
        header_end = comments.before(body.start_byte) if body else node.end_byte
        signature, doc = _signature(data[node.start_byte : header_end], body is None), comments.doc(body, row)
        header = (title or node).start_point[0] + 1
        open_.append(len(result))
        result.append(Symbol(name, kind, row + 1, end, header, start, stop, parent, signature, doc))
    return result


def _ranges(found: Captures, begins: dict[int, tuple[int, int]]) -> Iterator[tuple[int, int, int, Node, str]]:
    """Yield (start, -stop, row, node, kind) of each definition; sorting puts a parent before its children."""
    for kind in (FUNCTION, CLASS):
        for node in found.get(kind, ()):
            start, row = begins.get(node.start_byte) or (node.start_byte, node.start_point[0])
            yield start, -node.end_byte, row, node, kind


def _begins(found: Captures) -> dict[int, tuple[int, int]]:
    """Return the start (byte and row) of each definition with its decorators or attributes, by the first byte of the
    definition itself."""
    begins: dict[int, tuple[int, int]] = {}
    around = [(node, node.named_child(node.named_child_count - 1)) for node in found.get("decorated", ())]
    before = [(node, node.next_named_sibling) for node in found.get("before", ())]
    for node, bare in sorted(around + before, key=lambda pair: pair[0].start_byte):
        if bare is not None:
            begins[bare.start_byte] = begins.get(node.start_byte) or (node.start_byte, node.start_point[0])
    return begins


class _Comments:
    """A file's comments and docstrings, and their relation to definitions."""

    def __init__(self, found: Captures, data: bytes, docstrings: bool) -> None:
        self._data, self._docstrings = data, docstrings
        self._docs = {node.start_byte: node for node in found.get("doc", ())}
        self._comments = found.get("comment", ())
        self._by_end = {node.end_byte: node for node in self._comments}
        self._by_last_row: dict[int, Node] | None = None

    def doc(self, body: Node | None, row: int) -> str:
        """Return the first line of the docstring at the start of `body`, or of the comments right above `row`."""
        if self._docstrings:
            node = self._docs.get(body.start_byte) if body else None
            return _first_line(_unquoted(_text(node, self._data))) if node else ""
        if self._by_last_row is None:
            self._by_last_row = {_last_row(node): node for node in self._comments if self._is_alone(node)}
        text = ""
        while comment := self._by_last_row.get(row - 1):
            row = comment.start_point[0]
            text = _text(comment, self._data) + "\n" + text
        return _first_line("\n".join(_MARKS.sub("", line) for line in text.split("\n", 20)))

    def without_tail(self, stop: int) -> int:
        """Return where a definition ends, excluding trailing comments that a grammar may include."""
        stop = self._stripped(stop)
        while (comment := self._by_end.get(stop)) and self._is_alone(comment):
            stop = self._stripped(comment.start_byte)
        return stop

    def before(self, stop: int) -> int:
        """Return where the code before `stop` ends, excluding the comments in between."""
        stop = self._stripped(stop)
        while comment := self._by_end.get(stop):
            stop = self._stripped(comment.start_byte)
        return stop

    def _stripped(self, stop: int) -> int:
        data = self._data
        while stop and data[stop - 1] in b" \t\r\n\f":
            stop -= 1
        return stop

    def _is_alone(self, comment: Node) -> bool:
        """Return whether a comment is the only text on its lines."""
        start = comment.start_byte
        return not self._data[start - comment.start_point[1] : start].strip()


def _last_row(node: Node) -> int:
    row, column = node.end_point
    return row if column else row - 1


def _title(node: Node) -> Node | None:
    """Return the node of a definition's name, which C nests in declarators: `char **name(int a)`."""
    if title := node.child_by_field_name("name"):
        return title
    title = node.child_by_field_name("declarator")
    while title and title.type.endswith("_declarator"):
        last = title.named_child(title.named_child_count - 1)
        title = title.child_by_field_name("name") or title.child_by_field_name("declarator") or last
    return title


def _body(node: Node) -> Node | None:
    """Return the body of a definition, or of the function that it assigns to a name: `const f = (a) => { ... }`."""
    while (body := node.child_by_field_name("body")) is None:
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        if value is None:
            return None
        node = value
    return body


def _signature(header: bytes, bodiless: bool) -> str:
    text = header[: 4 * LONGEST_SIGNATURE].partition(b"{")[0] if bodiless else header[: 4 * LONGEST_SIGNATURE]
    line = " ".join(text.decode("utf-8", "replace").split())[:LONGEST_SIGNATURE]
    return line.removesuffix("=>").rstrip(" :{;=")


def _unquoted(doc: str) -> str:
    text = doc.lstrip("rRbBuUfF")
    quote = text[:3] if text.startswith(('"""', "'''")) else text[:1]
    return text.removeprefix(quote).removesuffix(quote)


def _first_line(text: str) -> str:
    return text.strip("\\ \t\r\n\f").partition("\n")[0].strip()[:LONGEST_SIGNATURE]


def _text(node: Node, data: bytes) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")


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
    """The definition of a language, made by a module of `aci/graph/languages` or of an extension.

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

    @property
    def file_ends(self) -> tuple[str, ...]:
        """The extensions with their dots, and the whole file names."""
        return (*(f".{extension}" for extension in self.extensions), *self.files)

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


def languages_by_file_name() -> dict[str, str]:
    """Return the language of each extension (with its dot) and whole file name. Does not import any grammar."""
    return _languages_of(plugins.extension_names())


@cache
def _languages_of(extensions: tuple[str, ...]) -> dict[str, str]:
    return {file: name for name in names(PACKAGE) for file in load_language(name).file_ends}


def walk(root: Node, is_named: bool = False) -> Iterator[Node]:
    """Yield a node and those inside it, in the order of the text; with `is_named` without tokens such as brackets."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.named_children if is_named else node.children)


def node_text(node: Node | None) -> str:
    """Return the text of a node; "" for None."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


LARGE_TREE = 20_000
"""Number of source files above which the graph of a tree holds only the files that a question is about."""
MOST_FILES = 5_000
"""Maximum number of such files."""
PATH_WEIGHT = 2.0
"""Weight of a word in a path; that of a word in a file's text is 1."""
LONGEST_WORD = 80
MOST_KNOWN_WORDS = 1_000_000
"""Maximum number of words whose terms are kept in memory."""
_WORD_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz" + bytes(range(128, 256))
_SEPARATED = bytes(byte if byte in _WORD_BYTES else 32 for byte in range(256))


def key_about(tree: str, about: str) -> str:
    """Return the key of the part of a large tree that a text is about."""
    terms = "\n".join(sorted(count_terms(about)))
    return f"{tree} about {hashlib.sha256(terms.encode('utf-8', 'replace')).hexdigest()}"


def files_about(blobs: Blobs, ids: Mapping[str, str], about: str) -> set[str]:
    """Return at most MOST_FILES paths whose words fit a text best. `ids` holds the blob id of each path."""
    wanted = frozenset(count_terms(about))
    terms: dict[str, set[str]] = {}
    words = _KnownWords(wanted)
    distinct = list(dict.fromkeys(ids.values()))
    for id, data in zip(distinct, blobs.read(distinct), strict=True):
        terms[id] = words.terms_in(data or b"")
    common = Counter(term for found in terms.values() for term in found)
    rarity = {term: math.log(1 + len(distinct) / count) for term, count in common.items()}
    default = math.log(1 + len(distinct))
    scores = {
        path: sum(rarity[term] for term in terms[id])
        + PATH_WEIGHT * sum(rarity.get(term, default) for term in words.terms_in(path.encode("utf-8", "replace")))
        for path, id in ids.items()
    }
    return set(sorted(scores, key=lambda path: (-scores[path], path))[:MOST_FILES])


class _KnownWords:
    """The wanted terms of each word seen so far."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = {term.encode("utf-8", "replace"): term for term in wanted}
        self._known: dict[bytes, tuple[str, ...]] = {}

    def terms_in(self, data: bytes) -> set[str]:
        """Return the wanted terms that a text contains."""
        found: set[str] = set()
        known = self._known
        for word in set(data.translate(_SEPARATED).split()):
            terms = known.get(word)
            if terms is None:
                terms = self._terms_of(word)
            if terms:
                found.update(terms)
        return found

    def _terms_of(self, word: bytes) -> tuple[str, ...]:
        if len(word) > LONGEST_WORD:
            return ()
        if len(self._known) >= MOST_KNOWN_WORDS:
            self._known.clear()
        wanted = self._wanted
        if word.islower():  # most words; others are split at case changes, which takes longer
            parts = [word.strip(b"_"), *[part.strip(b"0123456789") for part in word.split(b"_")]]
        else:
            parts = [term.encode("utf-8", "replace") for term in split_identifier(word.decode("utf-8", "replace"))]
        self._known[word] = terms = tuple([wanted[part] for part in parts if part in wanted])
        return terms
