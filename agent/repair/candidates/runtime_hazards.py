"""When a statement would go wrong: conditions made from what it does itself (index, key, divide, look into)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agent.repair.donors import short
from agent.repair.parsing import expression, is_expression
from agent.repair.reading import unique
from agent.repair.spot import Spot

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
"""What the kinds of expressions, and calls by name, raise."""


def hazards(spot: Spot) -> list[str]:
    """Conditions on which an expression of the statement has no good value, those of the innermost last."""
    found: list[str] = []
    for node in spot.nodes:
        found += _of(spot, node)
    return [text for text in unique(found) if short(text)]


def turned(condition: str) -> str:
    """The opposite of a condition, as one would write it."""
    if not is_expression(condition):
        return f"not ({condition})"
    node = expression(condition)
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


def raised(spot: Spot) -> list[str]:
    """Exceptions that the statement's expressions raise, the likeliest first."""
    found: list[str] = []
    for node in spot.nodes:
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            found += FAILURES.get(name, ())
        found += FAILURES.get(type(node).__name__, ())
    return unique(found)


def _of(spot: Spot, node: ast.AST) -> Iterator[str]:
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
