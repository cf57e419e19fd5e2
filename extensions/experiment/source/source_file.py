"""A Python file as bytes and syntax tree, and edits of it that keep the formatting around them."""

from __future__ import annotations

import ast
import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from extensions.experiment.evaluator.candidate_evaluator import FunctionSpan
from extensions.experiment.source.syntax_trees import (
    UNREADABLE,
    decode_source,
    fstring_literals,
    is_expression,
    is_pattern,
    parse_expression,
    parse_module,
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef
NEWLINE = re.compile(rb"\r\n|\r|\n")
RANKS: dict[type[ast.AST], int] = {
    ast.NamedExpr: 0,
    ast.Yield: 0,
    ast.YieldFrom: 0,
    ast.Lambda: 0,
    ast.IfExp: 1,
    ast.Or: 2,
    ast.And: 3,
    ast.Not: 4,
    ast.Compare: 5,
    ast.BitOr: 6,
    ast.BitXor: 7,
    ast.BitAnd: 8,
    ast.LShift: 9,
    ast.RShift: 9,
    ast.Add: 10,
    ast.Sub: 10,
    ast.Mult: 11,
    ast.Div: 11,
    ast.FloorDiv: 11,
    ast.Mod: 11,
    ast.MatMult: 11,
    ast.USub: 12,
    ast.UAdd: 12,
    ast.Invert: 12,
    ast.Pow: 13,
    ast.Await: 14,
}
ATOM, BARE, BROKEN = 15, -1, -2
"""The ranks of text that never needs parentheses, of a tuple without parentheses, and of text over several lines
without parentheses."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit of a file: a description, and replacements (start, end, text) with byte offsets.

    `weight` is its likelihood relative to the usual drafts of its template: normally 1, and lower if there are reasons
    against it.
    """

    what: str
    edits: tuple[tuple[int, int, str], ...]
    weight: float = 1.0

    def at(self, weight: float) -> Draft:
        """Return the same draft with another weight."""
        return Draft(self.what, self.edits, weight)


@dataclass(eq=False)
class Source:
    """A file of the repository. Raises SyntaxError or ValueError if it is not UTF-8 or cannot be parsed."""

    path: str
    data: bytes
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False, default_factory=dict)
    quoted: dict[ast.AST, str] = field(init=False, default_factory=dict)
    """Expressions inside f-strings, each with the quote that it must not contain."""

    def __post_init__(self) -> None:
        decode_source(self.data)
        self.tree = parse_module(self.data)
        first = len(codecs.BOM_UTF8) if self.data.startswith(codecs.BOM_UTF8) else 0
        self._starts = [first, *(found.end() for found in NEWLINE.finditer(self.data))]
        waiting: list[ast.AST] = [self.tree]
        strings: list[ast.JoinedStr] = []
        while waiting:
            node = waiting.pop()
            for child in children(node):
                self.parents[child] = node
                waiting.append(child)
                if isinstance(child, ast.JoinedStr):
                    strings.append(child)
        self._look_into(strings)
        self.functions = list(self._functions(self.tree, ""))
        self.newline = "\r\n" if b"\r\n" in self.data else "\n"

    @cached_property
    def indent(self) -> str:
        """The indentation of most blocks in the file, or four spaces if it has no blocks."""
        units = Counter(unit for node in self.parents if (unit := self._unit(node)))
        return units.most_common(1)[0][0] if units else "    "

    def unit(self, statement: ast.stmt) -> str:
        """Return the indentation used in a statement's blocks, in the blocks that enclose it, or in the file, whichever
        is found first."""
        node: ast.AST | None = statement
        while node is not None:
            if unit := self._unit(node):
                return unit
            node = self.parents.get(node)
        return self.indent

    def _unit(self, node: ast.AST) -> str:
        """Return the indentation of a compound statement's body, or "" if it cannot be determined."""
        body = getattr(node, "body", None)
        if not isinstance(node, ast.stmt) or not isinstance(body, list) or body[0].lineno == node.lineno:
            return ""
        outer, inner = self._margin(node), self._margin(body[0])
        return inner[len(outer) :].decode() if outer is not None and inner and inner.startswith(outer) else ""

    def _margin(self, statement: ast.stmt) -> bytes | None:
        """Return the white space before a statement, or None if the statement does not start its line."""
        start = self.span(statement)[0]
        margin = self.data[self.line_start(start) : start]
        return None if margin.strip() else margin

    def _look_into(self, strings: list[ast.JoinedStr]) -> None:
        """Record the expressions in f-strings, except where Python does not give their exact positions."""
        for node in strings:
            inner = [one.value for one in ast.walk(node) if isinstance(one, ast.FormattedValue)]
            if node in self.quoted or not all(self._is_exact(one) for one in inner):
                node.values = []
                continue
            start, literals = self.span(node)[0], fstring_literals(self.text(node))
            for one in inner:
                before = len(self.data[start : self.span(one)[0]].decode())
                quote = next((quote for at, quote in reversed(literals) if at <= before), '"')
                self.quoted.update((below, quote) for below in ast.walk(one))

    def _is_exact(self, node: ast.expr) -> bool:
        try:
            return ast.dump(parse_expression(f"({self.text(node)})")) == ast.dump(node)
        except UNREADABLE:
            return False

    def _functions(self, node: ast.AST, prefix: str) -> Iterator[tuple[FunctionSpan, Definition]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Definition):
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                start, body = self._starts[child.lineno - 1], self.span(child.body[0])[0]
                margin = self.line_start(body)
                body = body if self.data[margin:body].strip() else margin
                qualname = prefix + child.name
                end = self.end_of(child)
                yield FunctionSpan(child.name, qualname, (first, child.lineno), start, body, end), child
            elif isinstance(child, ast.ClassDef):
                yield from self._functions(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.stmt):
                yield from self._functions(child, prefix)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def end_of(self, statement: ast.stmt) -> int:
        """Return the end of a statement, including a trailing comment."""
        end = self.span(statement)[1]
        rest = self.rest(end)
        return end + len(rest.rstrip()) if rest.lstrip().startswith(b"#") else end

    def rest(self, position: int) -> bytes:
        """Return the rest of the line after a position."""
        end = NEWLINE.search(self.data, position)
        return self.data[position : end.start() if end else len(self.data)]

    def position(self, line: int, column: int) -> int:
        """Return the byte position of a line (from 1) and a column in bytes, as the syntax tree gives them."""
        return self._starts[line - 1] + column

    def text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode()

    def line_start(self, position: int) -> int:
        """Return the start of the line that contains a position."""
        last = max(self.data.rfind(b"\n", 0, position), self.data.rfind(b"\r", 0, position))
        return max(last + 1, self._starts[0])

    def replace(self, node: ast.expr, text: str, what: str = "") -> Draft:
        """Replace an expression, with parentheses if needed. The draft has no edits if that is impossible."""
        start, end = self.span(node)
        inner = rank(text)
        if (inner < ATOM and self._binds(node, inner)) or self._is_number_before_dot(node, text):
            text = f"({text})"
        if self._owns_call(node):
            text = f"({text})"
        old = self.text(node)
        what = what or f"replace `{brief(old)}` by `{brief(text)}`"
        if isinstance(self.parents.get(node), ast.MatchValue | ast.MatchMapping) and not is_pattern(text):
            return Draft(what, ())
        if quote := self.quoted.get(node):
            text = text.replace(quote, "'" if quote == '"' else '"')
            if "\\" in text or "\n" in text or not is_expression(text):
                return Draft(what, ())
            text = f"({text})" if text.startswith("{") or inner <= 0 else text
        text = " " * self._touches(start - 1, text[:1]) + text + " " * self._touches(end, text[-1:])
        return Draft(what, ((start, end, text),))

    def operator(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Draft | None:
        """Replace the operator between two expressions. `old` is a regular expression."""
        start, end = self.span(left)[1], self.span(right)[0]
        found = re.search(old.encode(), self.data[start:end])
        if found is None:
            return None
        edit = (start + found.start(), start + found.end(), new)
        return Draft(f"replace `{found[0].decode()}` by `{new}` before `{brief(self.text(right))}`", (edit,))

    def insert(self, statement: ast.stmt, lines: list[str], after: bool = False) -> Draft | None:
        """Insert lines before or after a statement, with its indentation, if it does not share its lines with other
        statements."""
        start, end = self.span(statement)
        if isinstance(statement, Definition | ast.ClassDef) and statement.decorator_list:
            start = self.data.rindex(b"@", 0, self.span(statement.decorator_list[0])[0])
        head = self.line_start(start)
        margin = self.data[head:start].decode()
        if margin.strip() or (not after and self.data[start : start + 4] == b"elif"):
            return None
        text = self.newline.join(margin + line if line else "" for line in lines)
        if not after:
            return Draft(f"insert `{brief(' '.join(lines))}`", ((head, head, text + self.newline),))
        tail = NEWLINE.search(self.data, end)
        rest = self.data[end : tail.start() if tail else len(self.data)].strip()
        if rest and not rest.startswith(b"#"):
            return None
        at = tail.start() if tail else len(self.data)
        return Draft(f"insert `{brief(' '.join(lines))}`", ((at, at, self.newline + text),))

    def _is_number_before_dot(self, node: ast.expr, text: str) -> bool:
        return isinstance(self.parents.get(node), ast.Attribute) and text.isdigit()

    def _owns_call(self, node: ast.expr) -> bool:
        """Return whether the node is a call's only argument and a generator expression without parentheses of its
        own."""
        parent = self.parents.get(node)
        return (
            isinstance(node, ast.GeneratorExp)
            and isinstance(parent, ast.Call)
            and node is not parent.func
            and node.end_col_offset == parent.end_col_offset
            and node.end_lineno == parent.end_lineno
        )

    def _touches(self, position: int, letter: str) -> bool:
        """Return whether a letter inserted next to this byte would merge with it, as in `return(a)` or `1if a else
        b`."""
        near = self.data[position : position + 1] if position >= 0 else b""
        return (near.isalnum() or near == b"_") and (letter.isalnum() or letter == "_")

    def _in_parentheses(self, start: int, end: int) -> bool:
        before = start - 1
        while before >= 0 and self.data[before] in b" \t\r\n":
            before -= 1
        after = end
        while after < len(self.data) and self.data[after] in b" \t\r\n":
            after += 1
        return self.data[before : before + 1] == b"(" and self.data[after : after + 1] == b")"

    def _binds(self, node: ast.expr, inner: int) -> bool:
        """Return whether an expression of this rank needs parentheses at the position of `node`."""
        parent = self.parents.get(node)
        if self._in_parentheses(*self.span(node)) and not (isinstance(parent, ast.Call) and inner <= BARE):
            return False
        if inner == BROKEN:
            return True
        if inner == BARE and isinstance(parent, ast.Subscript):
            return node is parent.value
        if inner == BARE:
            return not isinstance(parent, ast.Assign | ast.Return | ast.For | ast.Expr)
        if isinstance(parent, ast.BinOp):
            outer = RANKS[type(parent.op)]
            return inner < outer or (inner == outer and (node is parent.right or isinstance(parent.op, ast.Pow)))
        if isinstance(parent, ast.BoolOp):
            return inner < RANKS[type(parent.op)]
        if isinstance(parent, ast.UnaryOp):
            return inner < RANKS[type(parent.op)]
        if isinstance(parent, ast.Compare):
            return inner <= RANKS[ast.Compare]
        if isinstance(parent, ast.IfExp | ast.comprehension):
            return inner <= RANKS[ast.IfExp]
        if isinstance(parent, ast.Attribute | ast.Await | ast.Starred):
            return True
        if isinstance(parent, ast.Dict):
            return (
                node not in parent.keys and parent.keys[parent.values.index(node)] is None and inner < RANKS[ast.BitOr]
            )
        if isinstance(parent, ast.Subscript):
            return node is parent.value
        if isinstance(parent, ast.Call):
            return node is parent.func
        return False


@lru_cache(maxsize=20_000)
def rank(text: str) -> int:
    """Return how tightly an expression's outermost operator binds."""
    try:
        node = parse_expression(text)
    except UNREADABLE:
        return BROKEN
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp):
        return RANKS[type(node.op)]
    if isinstance(node, ast.Tuple):
        return ATOM if text.startswith("(") and is_expression(text[1:-1] or "()") else BARE
    return RANKS.get(type(node), ATOM)


def parenthesize(text: str, least: int) -> str:
    """Return the expression, in parentheses if its outermost operator binds less tightly than `least` (see RANKS)."""
    return text if rank(text) >= least else f"({text})"


def children(node: ast.AST) -> list[ast.AST]:
    """Return the children of a node, except its context (load, store or delete)."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None) if name != "ctx" else None
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [one for one in value if isinstance(one, ast.AST)]
    return found


def own_nodes(statement: ast.stmt) -> list[ast.AST]:
    """Return the nodes of a statement without those of inner statements, annotations, decorators and f-string text.

    For a function's definition these are the default values of its parameters. For a `match` they include the guards of
    its cases and the values that its patterns compare with.
    """
    found: list[ast.AST] = []
    if isinstance(statement, ast.ClassDef):
        return found
    if isinstance(statement, Definition):
        parts: list[ast.AST] = [one for one in (*statement.args.defaults, *statement.args.kw_defaults) if one]
    else:
        parts = children(statement)
    waiting = parts[::-1]
    if isinstance(statement, ast.AnnAssign):
        waiting.remove(statement.annotation)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            continue
        if isinstance(node, ast.match_case):
            waiting += reversed([*_compared(node.pattern), *([node.guard] if node.guard else [])])
            continue
        found.append(node)
        if isinstance(node, ast.JoinedStr):
            inner = [one.value for one in ast.walk(node) if isinstance(one, ast.FormattedValue)]
            waiting += reversed(inner)
        elif isinstance(node, ast.Lambda):
            waiting.append(node.body)
        else:
            waiting += reversed(children(node))
    return found


def _compared(pattern: ast.pattern) -> Iterator[ast.expr]:
    """Yield the values that a pattern compares with."""
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchValue):
            yield node.value
        elif isinstance(node, ast.MatchMapping):
            yield from node.keys


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements inside a node, outermost first, without docstrings."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                yield child
            yield from statements(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from statements(child)


def header(statement: ast.stmt) -> range:
    """Return the lines of a statement without those of the statements inside it."""
    inner = [child.lineno for child in statements(statement)]
    end = statement.end_lineno or statement.lineno
    return range(statement.lineno, max(statement.lineno, min(inner) - 1) + 1 if inner else end + 1)


def dotted_name(node: ast.expr) -> str:
    """Return a chain of names such as `a.b.c`, or "" for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted_name(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
