"""Parsing of a test function into the cases that the search runs and mutates.

CodaMosa (Lemieux et al., ICSE 2023) does the same with a model's tests: what it cannot represent is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from aci.runtime.target_function import iter_functions
from extensions.testgen.module_exerciser import Case
from extensions.testgen.usage_mining import LONGEST_SETUP

MOST_WATCHED = 2
SIMPLE = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.Import | ast.ImportFrom
COMPARED = {"approx", "isclose", "isinstance", "bool"}
"""Functions whose first argument is the value that an assertion is about."""


def seed_cases(body: Sequence[str], data: bytes, about: str) -> list[Case]:
    """Return the calls that a test checks or makes as cases, each with the statements before it.

    `body` are the statements of the test, `data` the module under test, and `about` the function to name for a call
    whose callee is not known. The list is empty if the test has a loop, a condition or another statement that a case
    cannot hold. Expected values are left out: the search observes what the calls return.
    """
    try:
        return _Parser(data, about).cases(ast.parse("\n".join(body)).body)
    except (SyntaxError, ValueError, RecursionError):
        return []


class _Parser:
    def __init__(self, data: bytes, about: str) -> None:
        tree = ast.parse(data)
        self.functions = {name for name, _ in iter_functions(tree)}
        self.classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        self.about = about
        self.lines: list[str] = []
        self.bound: dict[str, str] = {}
        """Variables of the test, with the class of those that hold a new object."""

    def cases(self, body: Sequence[ast.stmt]) -> list[Case]:
        found: list[Case] = []
        for statement in body:
            if not isinstance(statement, SIMPLE | ast.Assert | ast.Expr) and not _expected_error(statement):
                return []
            if len(self.lines) <= LONGEST_SETUP:
                found += [self._case(value) for value in _tested_values(statement) if self._is_call(value)]
            if not isinstance(statement, ast.With | ast.Assert) and not self._is_available(statement):
                self._keep(statement)
        return list(dict.fromkeys(found))

    def _keep(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Expr) and not self._is_call(statement.value):
            return
        self.lines.append(ast.unparse(statement))
        if isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Name):
            callee = ast.unparse(statement.value.func) if isinstance(statement.value, ast.Call) else ""
            self.bound[target.id] = callee if callee in self.classes else ""

    def _is_available(self, statement: ast.stmt) -> bool:
        """Whether a statement only imports pytest or names of the module."""
        own = {"pytest", *self.functions, *self.classes}
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            return False
        return all(one.name in own and not one.asname for one in statement.names)

    def _is_call(self, node: ast.expr) -> bool:
        """Whether an expression does more than name a variable or a literal."""
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("self."):
            return False
        return not isinstance(node, ast.Name) and any(
            isinstance(one, ast.Call | ast.Attribute | ast.Subscript | ast.BinOp | ast.Compare)
            for one in ast.walk(node)
        )

    def _case(self, node: ast.expr) -> Case:
        about = next(filter(None, map(self._callee, _calls(node))), self.about)
        used = [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and one.id in self.bound]
        used.sort(key=lambda name: self.bound[name] != about.partition(".")[0])
        return Case(tuple(self.lines), ast.unparse(node), tuple(dict.fromkeys(used))[:MOST_WATCHED], about)

    def _callee(self, call: ast.Call) -> str:
        """Return the dotted name of the module's function or class that a call names, or ""."""
        if isinstance(call.func, ast.Name):
            return call.func.id if call.func.id in {*self.functions, *self.classes} else ""
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            owner = self.bound.get(call.func.value.id) or call.func.value.id
            name = f"{owner}.{call.func.attr}"
            return name if name in self.functions else ""
        return ""


def _calls(node: ast.expr) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def _expected_error(statement: ast.stmt) -> ast.expr | None:
    """Return the expression in `with pytest.raises(…):` or `with self.assertRaises(…):`, or None."""
    if not (isinstance(statement, ast.With) and len(statement.items) == len(statement.body) == 1):
        return None
    manager, (inner,) = statement.items[0].context_expr, statement.body
    is_expected = isinstance(manager, ast.Call) and ast.unparse(manager.func) in ("pytest.raises", "self.assertRaises")
    return inner.value if is_expected and isinstance(inner, ast.Expr | ast.Assign) else None


def _tested_values(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement that a test of the module is about."""
    if isinstance(statement, ast.Assert):
        yield from _compared_values(statement.test)
    elif isinstance(statement, ast.Expr) and isinstance(call := statement.value, ast.Call):
        if ast.unparse(call.func).startswith("self.assert"):
            for argument in call.args:
                yield from _compared_values(argument)
        else:
            yield call
    elif isinstance(statement, ast.Assign):
        yield statement.value
    elif (inner := _expected_error(statement)) is not None:
        yield inner


def _compared_values(node: ast.expr) -> Iterator[ast.expr]:
    parts: Collection[ast.expr] = ()
    if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.In | ast.NotIn):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        parts = [node.operand]
    elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in COMPARED:
        parts = node.args[:1]
    if not parts:
        yield node
    for one in parts:
        yield from _compared_values(one)
