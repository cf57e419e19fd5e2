"""A Python file as bytes and syntax tree, and edits of it that leave the formatting around them alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from aci.candidates import Candidate, Function

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
ATOM = 15


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit in words and as (start, end, text) in bytes of the file."""

    what: str
    edits: tuple[tuple[int, int, str], ...]


@dataclass
class Source:
    """A file of the repository. Raises SyntaxError or ValueError where it is no UTF-8 Python that we can parse."""

    path: str
    data: bytes
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.data.decode("utf-8")
        self.tree = ast.parse(self.data)
        self._starts = [0, *(found.end() for found in NEWLINE.finditer(self.data))]
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        self.functions = list(self._functions(self.tree, ""))
        self.newline = "\r\n" if b"\r\n" in self.data else "\n"
        indents = re.findall(rb"(?m)^([ \t]+)\S", self.data)
        self.indent = min((one.decode() for one in indents), key=len, default="    ")

    def _functions(self, node: ast.AST, prefix: str) -> Iterator[tuple[Function, Definition]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Definition):
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                start, body = self._starts[child.lineno - 1], self.span(child.body[0])[0]
                margin = self.line_start(body)
                body = body if self.data[margin:body].strip() else margin
                qualname = prefix + child.name
                end = self.span(child)[1]
                yield Function(child.name, qualname, (first, child.lineno), start, body, end), child
            elif isinstance(child, ast.ClassDef):
                yield from self._functions(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.stmt):
                yield from self._functions(child, prefix)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode()

    def line_start(self, position: int) -> int:
        """Where the line that holds a position begins."""
        return max(self.data.rfind(b"\n", 0, position), self.data.rfind(b"\r", 0, position)) + 1

    def replace(self, node: ast.expr, text: str, what: str = "") -> Draft:
        """Replace an expression, in parentheses where its place asks for them."""
        if rank(text) < ATOM and self._binds(node, rank(text)):
            text = f"({text})"
        old = self.text(node)
        return Draft(what or f"replace `{brief(old)}` by `{brief(text)}`", ((*self.span(node), text),))

    def operator(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Draft | None:
        """Replace the operator that stands between two expressions; `old` is a regular expression."""
        start, end = self.span(left)[1], self.span(right)[0]
        found = re.search(old.encode(), self.data[start:end])
        if found is None:
            return None
        edit = (start + found.start(), start + found.end(), new)
        return Draft(f"replace `{found[0].decode()}` by `{new}` before `{brief(self.text(right))}`", (edit,))

    def insert(self, statement: ast.stmt, lines: list[str], after: bool = False) -> Draft | None:
        """Put lines of the statement's indentation before or after it, if it stands on lines of its own."""
        start, end = self.span(statement)
        if isinstance(statement, Definition | ast.ClassDef) and statement.decorator_list:
            start = self.line_start(self.span(statement.decorator_list[0])[0])
        head = self.line_start(start)
        margin = self.data[head:start].decode()
        if margin.strip():
            return None
        text = self.newline.join(margin + line for line in lines)
        if not after:
            return Draft(f"insert `{brief(' '.join(lines))}`", ((head, head, text + self.newline),))
        tail = NEWLINE.search(self.data, end)
        rest = self.data[end : tail.start() if tail else len(self.data)].strip()
        if rest and not rest.startswith(b"#"):
            return None
        at = tail.start() if tail else len(self.data)
        return Draft(f"insert `{brief(' '.join(lines))}`", ((at, at, self.newline + text),))

    def candidate(self, draft: Draft, statement: ast.stmt, function: Function | None) -> Candidate:
        return Candidate(self.path, draft.edits, draft.what, statement.lineno, function)

    def _binds(self, node: ast.expr, inner: int) -> bool:
        """Whether an expression of this rank needs parentheses in the place of `node`."""
        start, end = self.span(node)
        if self.data[:start].rstrip()[-1:] == b"(" and self.data[end:].lstrip()[:1] == b")":
            return False
        parent = self.parents.get(node)
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
        if isinstance(parent, ast.Subscript):
            return node is parent.value
        if isinstance(parent, ast.Call):
            return node is parent.func
        return False


@lru_cache(maxsize=20_000)
def rank(text: str) -> int:
    """How tightly an expression's outermost operator binds."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return 0
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp):
        return RANKS[type(node.op)]
    if isinstance(node, ast.Tuple):
        return ATOM if text.startswith("(") and text.endswith(")") else 0
    return RANKS.get(type(node), ATOM)


def own(statement: ast.stmt) -> list[ast.AST]:
    """The nodes of a statement without those of statements inside it, annotations, decorators and f-strings."""
    skipped: list[ast.AST] = []
    if isinstance(statement, Definition | ast.ClassDef):
        return []
    if isinstance(statement, ast.AnnAssign):
        skipped.append(statement.annotation)
    found: list[ast.AST] = []
    waiting = [child for child in reversed(list(ast.iter_child_nodes(statement))) if child not in skipped]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case | ast.JoinedStr):
            continue
        found.append(node)
        waiting += reversed(list(ast.iter_child_nodes(node)))
    return found


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements inside a node, outermost first, without docstrings."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                yield child
            yield from statements(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from statements(child)


def header(statement: ast.stmt) -> range:
    """The lines of a statement without those of the statements inside it."""
    inner = [child.lineno for child in statements(statement)]
    end = statement.end_lineno or statement.lineno
    return range(statement.lineno, max(statement.lineno, min(inner) - 1) + 1 if inner else end + 1)


def brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
