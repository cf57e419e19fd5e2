"""Symbols from captured syntax nodes: names, extents, signatures and documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import attrgetter, itemgetter

from tree_sitter import Node

from aci.graph.outline import CLASS, FUNCTION, Symbol

Captures = dict[str, list[Node]]
Named = Callable[[Node, bytes], str]

LONGEST_SIGNATURE = 200
DEEPEST = 30
"""Maximum nesting depth of symbols; deeper symbols are left out, since their dotted names would take quadratic
space."""

_MARKS = re.compile(r"^\s*(?:/\*[*!]*|\*(?!/)|//[/!]*|#+)?\s?|\s*\*+/\s*$")
_place = itemgetter(0, 1)
_start = attrgetter("start_byte")


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
        if not name or len(open_) >= DEEPEST or (open_ and result[open_[-1]].start == start):
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
