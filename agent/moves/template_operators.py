"""Templates that change an operator, or a number by one.

A template is a function of a Spot that yields Drafts, the likeliest first.
"""

from __future__ import annotations

import ast

from agent.moves.template_spot import Drafts, Spot

COMPARISONS: dict[type[ast.cmpop], tuple[str, str, tuple[str, ...]]] = {
    ast.Lt: ("<", r"<", ("<=", ">", ">=", "!=", "==")),
    ast.LtE: ("<=", r"<=", ("<", ">=", ">", "==", "!=")),
    ast.Gt: (">", r">", (">=", "<", "<=", "!=", "==")),
    ast.GtE: (">=", r">=", (">", "<=", "<", "==", "!=")),
    ast.Eq: ("==", r"==", ("!=", "<=", ">=", "<", ">", "in", "is")),
    ast.NotEq: ("!=", r"!=", ("==", "<", ">", "<=", ">=", "not in", "is not")),
    ast.In: ("in", r"\bin\b", ("not in", "==")),
    ast.NotIn: ("not in", r"\bnot\s+in\b", ("in", "!=")),
    ast.Is: ("is", r"\bis\b", ("is not", "==")),
    ast.IsNot: ("is not", r"\bis\s+not\b", ("is", "!=")),
}
OPERATORS: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-", "*")),
    ast.Sub: ("-", ("+", "//", "%", "*")),
    ast.Mult: ("*", ("/", "+", "**", "//")),
    ast.Div: ("/", ("*", "//", "%")),
    ast.FloorDiv: ("//", ("/", "*", "%", "-")),
    ast.Mod: ("%", ("//", "/", "*")),
    ast.Pow: ("**", ("*",)),
    ast.BitAnd: ("&", ("|", "^", "-")),
    ast.BitOr: ("|", ("&", "^")),
    ast.BitXor: ("^", ("&", "|")),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}


def comparison(spot: Spot) -> Drafts:
    """`<` → `<=`, `==` → `!=`, `in` → `not in`."""
    for node in spot.nodes:
        if isinstance(node, ast.Compare):
            left = node.left
            for kind, right in zip(node.ops, node.comparators, strict=True):
                _, pattern, others = COMPARISONS[type(kind)]
                for new in others:
                    yield spot.source.operator(left, right, pattern, new)
                left = right


def arithmetic(spot: Spot) -> Drafts:
    """`+` → `-`, `/` → `//`, `^=` → `&=`, `+=` → `=`."""
    statement = spot.statement
    if isinstance(statement, ast.AugAssign):
        old, others = OPERATORS.get(type(statement.op), ("@", ()))
        for new in [*(f"{one}=" for one in others), "="]:
            yield spot.source.operator(statement.target, statement.value, _escaped(f"{old}="), new)
    for node in spot.nodes:
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            old, others = OPERATORS[type(node.op)]
            for new in others:
                yield spot.source.operator(node.left, node.right, _escaped(old), new)


def logic(spot: Spot) -> Drafts:
    """`and` ↔ `or`, `not` put in or taken out."""
    for node in spot.nodes:
        if isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield spot.source.operator(left, right, rf"\b{old}\b", new)
        elif isinstance(node, ast.UnaryOp):
            yield spot.source.replace(node, spot.text(node.operand))
    for test in spot.tests:
        text = spot.text(test)
        yield spot.source.replace(test, f"not ({text})" if isinstance(test, ast.BoolOp) else f"not {text}")


def off_by_one(spot: Spot) -> Drafts:
    """`e` → `e + 1`, `e - 1`, where `e` may be a number."""
    numbers = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp
    for step in ("+ 1", "- 1"):
        for node in spot.values:
            if isinstance(node, numbers):
                yield spot.source.replace(node, f"{spot.text(node)} {step}")


def _escaped(operator: str) -> str:
    """A pattern for exactly this operator: `*` but not `**`."""
    body = "".join(f"\\{letter}" for letter in operator)
    return rf"(?<![*/<>]){body}(?![*/<>])"
