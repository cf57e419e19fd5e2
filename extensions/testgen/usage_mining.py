"""The functions and constants of a file, from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aci.runtime.target_function import Function, iter_functions
from extensions.testgen.answer_schema import has_huge
from extensions.testgen.module_exerciser import Case

MOST_CONSTANTS = 80


@dataclass(frozen=True, slots=True)
class Subject:
    """A function under test: its dotted name, the lines of its statements, and its first and last line.

    `branches` holds (lines of the header, first line of the body) for each of its conditions and loops. `returns` tells
    whether it returns or yields a value anywhere. `doc` is its docstring.
    """

    name: str
    lines: frozenset[int]
    first: int
    last: int
    branches: tuple[tuple[frozenset[int], int], ...]
    returns: bool
    doc: str


def find_subjects(data: bytes, names: Sequence[str] = ()) -> list[Subject]:
    """Return the functions of a file that are selected by their dotted names or those of their classes; all if no names
    are given.

    Raises SyntaxError or ValueError for a file that cannot be parsed.
    """
    found = []
    for name, node in iter_functions(ast.parse(data)):
        if not names or any(name == one or name.startswith(f"{one}.") for one in names):
            found.append(_subject(name, node))
    return found


def _subject(name: str, node: Function) -> Subject:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    statements = [one for top in body for one in ast.walk(top) if isinstance(one, ast.stmt)]
    branches = [
        (frozenset(range(one.lineno, one.body[0].lineno)), one.body[0].lineno)
        for one in statements
        if isinstance(one, ast.If | ast.While | ast.For | ast.AsyncFor) and one.body[0].lineno > one.lineno
    ]
    silent = ast.Global | ast.Nonlocal
    lines = frozenset(one.lineno for one in statements if not isinstance(one, silent) and not _is_text(one))
    returns = any(isinstance(one, ast.Return) and one.value is not None for one in statements)
    yields = any(isinstance(one, ast.Yield | ast.YieldFrom) for top in body for one in ast.walk(top))
    doc = ast.get_docstring(node) or ""
    return Subject(name, lines, node.lineno, node.end_lineno or 0, tuple(branches), returns or yields, doc)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def taken_branches(subject: Subject, arcs: Iterable[tuple[int, int]]) -> set[tuple[int, bool]]:
    """Return the branches that these arcs take, as (first line of the header, whether the body is entered)."""
    found = set()
    for header, body in subject.branches:
        for before, after in arcs:
            if before in header and after not in header:
                found.add((min(header), after == body))
    return found


def code_constants(data: bytes) -> list[str]:
    """Return the number and string literals in a file, without docstrings, as source code."""
    tree = ast.parse(data)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and id(node) not in docs
            and isinstance(node.value, int | float | str | bytes)
        ):
            if has_huge(node):
                continue
            text = repr(node.value)
            if len(text) <= 40 and not isinstance(node.value, bool):
                found[text] = None
    return list(found)[:MOST_CONSTANTS]


def free_names(case: Case) -> set[str]:
    """Return the names that a case uses but does not bind."""
    bound: set[str] = set()
    used: set[str] = set()
    for text in (*case.lines, case.call):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return {""}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (bound if isinstance(node.ctx, ast.Store) else used).add(node.id)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, Function | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.alias):
                bound.add((node.asname or node.name).split(".")[0])
    return used - bound


def replace_names(code: str, values: Mapping[str, ast.expr]) -> ast.expr:
    """Return an expression with values in the places of names; names that the expression binds stay.

    Raises SyntaxError for code that is no expression.
    """
    tree = ast.parse(code, mode="eval").body
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}

    class Inliner(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return node if node.id in bound else values.get(node.id, node)

    replaced: ast.expr = Inliner().visit(tree)
    return replaced
