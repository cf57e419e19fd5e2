"""Mutants of functions: small faults by the standard operators of mutation testing.

The operators change comparisons, arithmetic, booleans, constants and return values, negate conditions, delete
statements and add or subtract one. They are the sufficient set of Offutt et al. ("An experimental determination of
sufficient mutant operators", 1996), plus the statement deletion operator of Deng, Offutt and Li (2013). Mutants are
edits of bytes, so that the rest of the file stays unchanged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aci.runtime.target_function import Function, iter_functions
from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.evaluator.candidate_evaluator import FunctionSpan as Place
from extensions.testgen.answer_schema import HUGE

MOST_OF_FUNCTION, MOST = 60, 400
"""Maximum number of mutants per function and per file; if there are more, a selection spread evenly over the lines is
kept."""
COMPARED: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="), ast.LtE: ("<", ">"), ast.Gt: (">=", "<="), ast.GtE: (">", "<"), ast.Eq: ("!=",),
    ast.NotEq: ("==",), ast.Is: ("is not",), ast.IsNot: ("is",), ast.In: ("not in",), ast.NotIn: ("in",),
}  # fmt: skip
COUNTED: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*", ast.Pow: "*",
    ast.LShift: ">>", ast.RShift: "<<", ast.BitAnd: "|", ast.BitOr: "&", ast.BitXor: "&",
}  # fmt: skip
KEPT = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal


@dataclass(frozen=True, slots=True)
class Mutant:
    """A function with one fault at `line`, described by `what`; code that runs a line in `reach` executes the fault."""

    path: str
    name: str
    line: int
    what: str
    edit: tuple[int, int, str]
    place: Place
    reach: frozenset[int]

    def candidate(self) -> Candidate:
        """Return the mutant as a candidate edit, on which tests can be run."""
        return Candidate(self.path, (self.edit,), self.what, self.line, self.place)


def find_mutants(path: str, data: bytes, names: Sequence[str] = ()) -> list[Mutant]:
    """Return the mutants of the functions with these dotted names in a file, or of all its functions if no names are
    given.

    Raises SyntaxError or ValueError for a file that cannot be parsed.
    """
    tree = ast.parse(data)
    text = _Text(data)
    found: list[Mutant] = []
    for name, node in iter_functions(tree):
        if names and name not in names:
            continue
        place = text.place(name, node)
        if place is not None:
            possible = [
                Mutant(path, name, line, what, edit, place, frozenset({line, first}))
                for line, first, what, edit in _function_mutants(node, text)
            ]
            found += _spread([one for one in possible if _compiles(data, one)], MOST_OF_FUNCTION)
    return _spread(found, MOST)


def _spread(found: list[Mutant], most: int) -> list[Mutant]:
    if len(found) <= most:
        return found
    return [found[number * len(found) // most] for number in range(most)]


def _compiles(data: bytes, mutant: Mutant) -> bool:
    """Whether the mutated function can still be parsed; only the function is parsed, because the file may be long."""
    start, end, text = mutant.edit
    place = mutant.place
    alone = data[place.start : start] + text.encode() + data[end : place.end]
    try:
        ast.parse((b"if 1:\n" if alone[:1] in (b" ", b"\t") else b"") + alone)
    except (SyntaxError, ValueError):
        return False
    return True


class _Text:
    """The text of a file, with the byte positions of its syntax nodes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._starts = [0]
        for line in data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode("utf-8", "replace")

    def place(self, name: str, node: Function) -> Place | None:
        """Return the function's byte positions; None if its body starts on the line of its `def`."""
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        if node.body[0].lineno == node.lineno:
            return None
        body = self._starts[node.body[0].lineno - 1]
        return Place(
            node.name, name, (first, node.lineno), self._starts[node.lineno - 1], body, self.span(node)[1]
        )  # fmt: skip


Edit = tuple[int, int, str]


def _function_mutants(node: Function, text: _Text) -> Iterator[tuple[int, int, str, Edit]]:
    """Yield the mutants of a function, sorted by line, as (line, first line of the statement, description, edit)."""
    found: list[tuple[int, int, str, Edit]] = []
    for statement in _statements(node.body):
        parts = [
            _statement_mutants(statement, text),
            *(_expression_mutants(part, text) for part in _expressions(statement)),
        ]
        found += [(line, statement.lineno, what, edit) for part in parts for line, what, edit in part]
    seen: set[Edit] = set()
    for line, first, what, edit in sorted(found, key=lambda one: (one[0], one[3])):
        if edit not in seen:
            seen.add(edit)
            yield line, first, what, edit


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body and all statements nested in them, including inner functions but not
    docstrings."""
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions that belong to the statement itself, without annotations, decorators and defaults."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    stack: list[ast.AST] = [
        child
        for name, child in ast.iter_fields(statement)
        if name != "annotation"
        for child in (child if isinstance(child, list) else [child])
        if isinstance(child, ast.expr | ast.withitem)
    ]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.JoinedStr):
            continue
        if isinstance(node, ast.expr):
            yield node
        stack += list(ast.iter_child_nodes(node))


def _statement_mutants(statement: ast.stmt, text: _Text) -> Iterator[tuple[int, str, Edit]]:
    line = statement.lineno
    if isinstance(statement, ast.If | ast.While):
        start, end = text.span(statement.test)
        condition = text.text(statement.test)
        if "\n" not in condition:
            yield line, f"negates `{_short(condition)}`", (start, end, f"not ({condition})")
    if isinstance(statement, ast.Return) and statement.value is not None:
        value = text.text(statement.value)
        is_none = isinstance(statement.value, ast.Constant) and statement.value.value is None
        new = "0" if is_none else "None"
        yield line, f"returns {new} for `{_short(value)}`", (*text.span(statement.value), new)
    if isinstance(statement, ast.Break | ast.Continue):
        new = "continue" if isinstance(statement, ast.Break) else "break"
        yield line, f"`{new}` for `{text.text(statement)}`", (*text.span(statement), new)
    if isinstance(statement, ast.AugAssign) and (sign := COUNTED.get(type(statement.op))):
        between = text.span(statement.target)[1], text.span(statement.value)[0]
        yield line, f"`{sign}=` in `{_short(text.text(statement))}`", (*between, f" {sign}= ")
    simple = ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Delete | ast.Assert
    if isinstance(statement, simple) and not isinstance(getattr(statement, "value", None), ast.Yield | ast.Await):
        yield line, f"leaves out `{_short(text.text(statement))}`", (*text.span(statement), "pass")


def _expression_mutants(node: ast.expr, text: _Text) -> Iterator[tuple[int, str, Edit]]:
    line = node.lineno
    if isinstance(node, ast.Compare):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            between = text.span(left)[1], text.span(right)[0]
            written = text.data[between[0] : between[1]].decode("utf-8", "replace")
            for new in COMPARED.get(type(operator), ()):
                if not set(written) & set("()#\\\n"):
                    yield line, f"`{new}` in `{_short(text.text(node))}`", (*between, f" {new} ")
            left = right
    elif isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for one, other in zip(node.values, node.values[1:], strict=False):
            between = text.span(one)[1], text.span(other)[0]
            if text.data[between[0] : between[1]].decode("utf-8", "replace").strip() == old:
                yield line, f"`{new}` in `{_short(text.text(node))}`", (*between, f" {new} ")
    elif isinstance(node, ast.BinOp) and (sign := COUNTED.get(type(node.op))):
        between = text.span(node.left)[1], text.span(node.right)[0]
        if not set(text.data[between[0] : between[1]]) & set(b"()#\\\n"):
            yield line, f"`{sign}` in `{_short(text.text(node))}`", (*between, f" {sign} ")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        if not isinstance(node.operand, ast.Constant) or isinstance(node.op, ast.Not):
            operand = text.text(node.operand)
            yield line, f"`{_short(operand)}` for `{_short(text.text(node))}`", (*text.span(node), f"({operand})")
    elif isinstance(node, ast.Constant):
        for new in _constants(node.value):
            yield line, f"{new} for {_short(text.text(node))}", (*text.span(node), new)


def _constants(value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (str(not value),)
    if isinstance(value, int):
        return (f"({value} + 1)", f"({value} - 1)") if abs(value) < HUGE else ()
    if isinstance(value, float):
        return (f"({value} + 1.0)",)
    if isinstance(value, str):
        return ("'!'",) if not value else ("''",)
    return ()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 50 else line[:47] + "..."
