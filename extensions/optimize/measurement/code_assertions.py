"""Checks in code (`raise` and `assert`), the terms of their conditions, and terms that a change removes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from extensions.optimize.measurement.changed_code import Change, Source, constant, top_level_nodes

MOST_TERMS = 20
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Is: ast.IsNot, ast.In: ast.NotIn, ast.Eq: ast.NotEq}


class Check(NamedTuple):
    """A `raise` or `assert`: the error's type and text, the names in its condition, and its line.

    If any one of its `terms` is true, the error is raised.
    """

    error: str
    text: str
    about: frozenset[str]
    line: int
    terms: tuple[ast.expr, ...]

    def is_like(self, other: Check) -> bool:
        return self.error == other.error and bool(self.about) and self.about == other.about


def find_checks(
    node: ast.AST, about: frozenset[str] = frozenset(), terms: tuple[ast.expr, ...] = ()
) -> Iterator[Check]:
    """Yield all checks below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and child.exc is not None:
            kind = ast.unparse(child.exc.func if isinstance(child.exc, ast.Call) else child.exc)
            texts = [str(each.value) for each in ast.walk(child.exc) if isinstance(each, ast.Constant)]
            yield Check(kind, " ".join([kind, *texts]), about, child.lineno, terms)
        elif isinstance(child, ast.Assert):
            refused = tuple(_terms(child.test, False))
            yield Check("assert", f"assert {ast.unparse(child.test)}", _about(child.test), child.lineno, refused)
        elif isinstance(child, ast.If):
            for branch, wanted in ((child.body, True), (child.orelse, False)):
                part = ast.Module(branch, [])
                yield from find_checks(part, _about(child.test), tuple(_terms(child.test, wanted)))
        else:
            yield from find_checks(child, about, terms)


def find_old_checks(change: Change) -> Iterator[Check]:
    """Yield the checks that the target reached before the change, in files that the change touches."""
    changed = {source.path for source in change.after}
    for source, _, function in change.reached(change.before):
        if source.path in changed:
            yield from find_checks(function)


def all_terms(change: Change) -> dict[int, list[str]]:
    """Return the terms of the old checks as source text, by line."""
    found: dict[int, list[str]] = {}
    for check in find_old_checks(change):
        found.setdefault(check.line, []).extend(ast.unparse(term) for term in check.terms[:MOST_TERMS])
    return found


def removed_terms(change: Change) -> Iterator[tuple[Check, str]]:
    """Yield (old check, removed term) if the error is still raised, but no condition tests for the term any more.

    Names in a term are ignored, since they may change. A term counts as removed if none of its types and constants
    occurs in a condition of the new code.
    """
    kept = {check.text for source in change.after for check in find_checks(source.tree)}
    asked = set(_all_tested_marks(change, change.after))
    for check in find_old_checks(change):
        for term in check.terms if check.text in kept else ():
            if (marks := _tested_marks(term)) and not marks & asked:
                yield check, ast.unparse(term)


def _all_tested_marks(change: Change, sources: Sequence[Source]) -> Iterator[str]:
    """Yield a mark for each thing that the code's conditions test for; types in top-level assignments are included."""
    for _, _, function in change.reached(sources):
        yield from _tested_marks(function)
    for source in sources:
        for node in top_level_nodes(source.tree):
            yield from _types(node) if isinstance(node, ast.Assign | ast.AnnAssign) else ()


def _tested_marks(node: ast.AST) -> set[str]:
    """Return a mark for each thing that the code tests for, such as `type bool` for `isinstance(x, bool)` or `'x'` for
    `== 'x'`."""
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and len(each.args) == 2:
            if each.func.id in ("isinstance", "issubclass"):
                found |= _types(each.args[1])
            elif each.func.id == "hasattr":
                found.add(f"attribute {constant(each.args[1])}")
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "callable":
            found.add("callable")
        elif isinstance(each, ast.MatchClass):
            found |= _types(each.cls)
        elif isinstance(each, ast.Compare):
            sides = [each.left, *each.comparators]
            of_types = any("type(" in ast.unparse(side) or "__class__" in ast.unparse(side) for side in sides)
            found |= {mark for side in sides for mark in (_types(side) if of_types else _values(side))}
    return found


def _types(node: ast.AST) -> set[str]:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    names |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return {f"type {name}" for name in names - {"type"}}


def _values(node: ast.AST) -> set[str]:
    """Return the constants on one side of a comparison, except 0 and 1, which can be tested for in other ways, such as
    `not x`."""
    constants = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return {repr(value) for value in constants if value not in (0, 1)}


def _terms(test: ast.expr, wanted: bool) -> Iterator[ast.expr]:
    """Yield expressions, each of which alone, if true, makes the test evaluate to `wanted`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _terms(test.operand, not wanted)
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or if wanted else ast.And):
        for value in test.values:
            yield from _terms(value, wanted)
    elif generator := _generator_in(test, "any" if wanted else "all"):
        for term in _terms(generator.elt, wanted):
            each = ast.GeneratorExp(term, generator.generators)
            yield ast.Call(ast.Name("any", ast.Load()), [each], [])
    else:
        yield test if wanted else _negated(test)


def _generator_in(test: ast.expr, name: str) -> ast.GeneratorExp | None:
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == name and len(test.args) == 1:
        return test.args[0] if isinstance(test.args[0], ast.GeneratorExp) else None
    return None


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def _about(test: ast.expr) -> frozenset[str]:
    return frozenset(ast.unparse(each) for each in ast.walk(test) if isinstance(each, ast.Name | ast.Attribute))
