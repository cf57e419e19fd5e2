"""Conditions under which a statement would fail, derived from its own operations (indexing, key lookup, division,
attribute access)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.syntax_trees import is_expression, parse_expression
from extensions.repair.analysis.donor_code import short
from extensions.repair.analysis.name_usage import unique
from extensions.repair.candidates.template_site import TemplateSite

FAILURES: dict[str, tuple[str, ...]] = {
    "Subscript": ("KeyError", "IndexError"),
    "Attribute": ("AttributeError",),
    "BinOp": ("ZeroDivisionError", "TypeError"),
    "Call": ("ValueError", "TypeError"),
    "next": ("StopIteration",),
    "pop": ("KeyError", "IndexError"),
    "index": ("ValueError",),
    "open": ("OSError",),
}
"""The exceptions that each type of expression may raise, by the type's name, and those that a call may raise, by the
function's name."""


def hazards(spot: TemplateSite) -> list[str]:
    """Return conditions under which an expression of the statement fails; those of the innermost expression come
    last."""
    found: list[str] = []
    for node in spot.nodes:
        found += _of(spot, node)
    return [text for text in unique(found) if short(text)]


def negate_condition(condition: str) -> str:
    """Return the negation of a condition, simplified where possible."""
    if not is_expression(condition):
        return f"not ({condition})"
    node = parse_expression(condition)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return condition.removeprefix("not ").strip()
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for one, other in OPPOSITES:
            for old, new in ((one, other), (other, one)):
                left, sign, right = condition.partition(f" {old} ")
                if sign and is_expression(left) and is_expression(right):
                    return f"{left} {new} {right}"
    if isinstance(node, ast.BoolOp | ast.IfExp | ast.Compare | ast.NamedExpr | ast.Lambda):
        return f"not ({condition})"
    return f"not {condition}"


OPPOSITES = (("is not", "is"), ("not in", "in"), ("==", "!="), ("<=", ">"), (">=", "<"))


def possible_exceptions(spot: TemplateSite) -> list[str]:
    """Return exceptions that the statement's expressions may raise, the likeliest first."""
    found: list[str] = []
    for node in spot.nodes:
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            found += FAILURES.get(name, ())
        found += FAILURES.get(type(node).__name__, ())
    return unique(found)


def _of(spot: TemplateSite, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple):
        value, key = spot.text(node.value), spot.text(node.slice)
        constant = isinstance(node.slice, ast.Constant | ast.UnaryOp)
        if constant:
            yield f"not {value}"
        if not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
            yield f"len({value}) <= {key}" if constant and "-" not in key else f"{key} >= len({value})"
        yield f"{key} not in {value}"
        yield f"{key} in {value}"
        if not constant:
            yield f"{key} < 0"
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
        value = spot.text(node.value)
        if value not in ("self", "cls"):
            yield f"{value} is None"
            yield f"not {value}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
        value = spot.text(node.right)
        if isinstance(node.right, ast.Name | ast.Attribute | ast.Call):
            yield f"not {value}"
            yield f"{value} == 0"
    elif isinstance(node, ast.Call):
        for one in node.args:
            if isinstance(one, ast.Name | ast.Attribute):
                value = spot.text(one)
                yield f"{value} is None"
                yield f"not {value}"
    elif isinstance(node, ast.comprehension) and isinstance(node.iter, ast.Name | ast.Attribute):
        yield f"not {spot.text(node.iter)}"
        yield f"{spot.text(node.iter)} is None"
