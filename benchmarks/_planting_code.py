"""A source file to plant a bug in: its syntax tree, line ranges of statements, and edits as (start, end, text)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aci.runtime.target_function import Function, iter_functions

Edit = tuple[int, int, str]
BLOCKS = ("body", "orelse", "finalbody")
LOW_PRECEDENCE = ast.BoolOp | ast.BinOp | ast.Compare | ast.UnaryOp | ast.IfExp | ast.Lambda | ast.NamedExpr | ast.Yield
LOOPS = ast.For | ast.AsyncFor | ast.While
PLAIN = ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Raise | ast.Delete


@dataclass(frozen=True, slots=True)
class Slip:
    """A plausible mistake at a line: edits with byte offsets in the file, and a description."""

    line: int
    edits: tuple[Edit, ...]
    what: str

    def apply(self, data: bytes) -> bytes:
        for start, end, text in sorted(self.edits, reverse=True):
            data = data[:start] + text.encode() + data[end:]
        return data


@dataclass
class Code:
    """A Python file. Raises SyntaxError or ValueError if it cannot be parsed.

    `functions` are the outermost functions by dotted name; if a name is defined twice, the last definition.
    """

    path: str
    data: bytes
    tree: ast.Module = field(init=False)
    functions: dict[str, Function] = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.data)
        self._lines = self.data.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self.functions = dict(iter_functions(self.tree))
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset

    def rows(self, first: ast.stmt, last: ast.stmt | None = None) -> tuple[int, int] | None:
        """Return the byte range of the lines from `first` to `last`, or None if they contain other code."""
        start, end = self.span(first)[0], self.span(last or first)[1]
        head, tail = self._starts[first.lineno - 1], self._starts[(last or first).end_lineno or 0]
        after = self.data[end:tail].strip()
        return None if self.data[head:start].strip() or (after and not after.startswith(b"#")) else (head, tail)

    def else_row(self, node: ast.If) -> int | None:
        """Return the start of the line with the statement's `else:`."""
        for number in range(node.body[-1].end_lineno or 0, node.orelse[0].lineno):
            if self._lines[number].split(b":")[0].strip() == b"else":
                return self._starts[number]
        return None

    def margin(self, statement: ast.stmt) -> str:
        return " " * statement.col_offset

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the block that contains the statement."""
        parent = self.parents[statement]
        for name in BLOCKS:
            found: list[ast.stmt] = getattr(parent, name, [])
            if statement in found:
                return found
        return [statement]

    def shifted(self, statement: ast.stmt, by: int) -> str:
        """Return the lines of a statement, indented by `by` more columns."""
        rows = self.rows(statement) or self.span(statement)
        lines = self.data[slice(*rows)].decode().splitlines(keepends=True)
        return "".join(" " * by + line if by > 0 else line[-by:] for line in lines)

    def drop(self, statement: ast.stmt, what: str) -> Iterator[Slip]:
        """Yield a slip that removes a statement."""
        rows = self.rows(statement)
        if rows:
            rest = "" if len(self.block(statement)) > 1 else f"{self.margin(statement)}pass\n"
            yield Slip(statement.lineno, ((*rows, rest),), what)

    def replace(self, node: ast.expr, new: ast.expr | str, what: str = "") -> Slip:
        """Return a slip that replaces a node by another expression."""
        text = new if isinstance(new, str) else ast.unparse(new)
        parent = self.parents.get(node)
        binds = isinstance(parent, LOW_PRECEDENCE | ast.Attribute | ast.Starred | ast.Await | ast.comprehension)
        binds = binds or (isinstance(parent, ast.Subscript) and parent.value is node)
        if binds and isinstance(ast.parse(text, mode="eval").body, LOW_PRECEDENCE):
            text = f"({text})"
        return Slip(node.lineno, ((*self.span(node), text),), what or f"{brief(ast.unparse(node))} -> {brief(text)}")


Operator = Callable[[Code, Function], Iterator[Slip]]


def brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def statements(function: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements inside a function and its nested functions, without docstrings."""
    for node in ast.walk(function):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and node is not function and not is_docstring:
            yield node


def expressions(function: Function) -> Iterator[ast.expr]:
    """Yield the expressions in a function's body that are read and not part of an f-string or annotation."""
    excluded: set[ast.AST] = set()
    for node in (node for statement in function.body for node in ast.walk(statement)):
        if isinstance(node, ast.JoinedStr | ast.arguments):
            excluded |= set(ast.walk(node))
        elif isinstance(node, ast.AnnAssign):
            excluded |= set(ast.walk(node.annotation))
        elif isinstance(node, Function) and node.returns:
            excluded |= set(ast.walk(node.returns))
        elif isinstance(node, ast.expr) and node not in excluded and _is_read(node):
            yield node


def _is_read(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def bound(node: ast.AST) -> set[str]:
    """Return the names that are bound anywhere in the node."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def read(node: ast.AST) -> set[str]:
    """Return the names that are read anywhere in the node."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def parameters(function: Function) -> list[str]:
    arguments = function.args
    return [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
