"""Templates that change an operator or the grouping of its operands, or add or subtract one."""

from __future__ import annotations

import ast

from extensions.experiment.source.source_file import Draft, parenthesize, rank
from extensions.repair.analysis.name_usage import interleave
from extensions.repair.analysis.value_types import INDEXED, ITERABLE, NUMBER, TEXT, Kinds
from extensions.repair.candidates.template_site import ODD, Drafts, TemplateSite

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
    ast.BitOr: ("|", ("&", "^", "-")),
    ast.BitXor: ("^", ("&", "|")),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}
AND, NOT, SUM = rank("a and b"), rank("not a"), rank("a + b")
NUMBERS = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp


def comparison(spot: TemplateSite) -> Drafts:
    """Replace a comparison operator: `<` → `<=`, `==` → `!=`, `in` → `not in`."""
    yield from interleave(_compared(spot, node) for node in spot.nodes if isinstance(node, ast.Compare))


def _compared(spot: TemplateSite, node: ast.Compare) -> Drafts:
    left = node.left
    for kind, right in zip(node.ops, node.comparators, strict=True):
        _, pattern, others = COMPARISONS[type(kind)]
        kinds = spot.scope.kinds(right)
        for new in others:
            draft = spot.source.operator(left, right, pattern, new)
            yield draft if draft is None or _compares(new, kinds) else draft.at(ODD)
        left = right


def _compares(operator: str, kinds: Kinds) -> bool:
    """Return whether a comparison operator makes sense with a right operand of these kinds."""
    if operator.endswith("in"):
        return not kinds or bool(kinds & ITERABLE)
    if operator.startswith("is"):
        return bool(kinds & {"none", "bool"})
    return operator in ("==", "!=") or "none" not in kinds


def arithmetic(spot: TemplateSite) -> Drafts:
    """Replace an arithmetic or assignment operator: `+` → `-`, `/` → `//`, `^=` → `&=`, `+=` → `=`, `=` → `+=`."""
    statement, source = spot.statement, spot.source
    if isinstance(statement, ast.AugAssign):
        old, others = OPERATORS.get(type(statement.op), ("@", ()))
        for new in [*(f"{one}=" for one in others), "="]:
            yield source.operator(statement.target, statement.value, _escaped(f"{old}="), new)
    yield from interleave(_calculated(spot, node) for node in spot.nodes if isinstance(node, ast.BinOp))
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        if not isinstance(target, ast.Tuple | ast.List):
            number = not isinstance(value, ast.Constant | ast.Tuple | ast.Dict) and spot.scope.fits(
                "0", _of(spot, value)
            )
            for new in ("+=", "-=", "*=", "|=", "&=") if number else ("+=", "|="):
                yield source.operator(target, value, "=", new)


def _calculated(spot: TemplateSite, node: ast.BinOp) -> Drafts:
    old, others = OPERATORS.get(type(node.op), ("@", ()))
    kinds = _of(spot, node.left)
    for new in others:
        draft = spot.source.operator(node.left, node.right, _escaped(old), new)
        odd = bool(kinds & (TEXT | INDEXED)) and new not in ("+", "*", "%")
        yield draft.at(ODD) if draft is not None and odd else draft


def _of(spot: TemplateSite, node: ast.expr) -> Kinds:
    return spot.scope.kinds(node)


def logic(spot: TemplateSite) -> Drafts:
    """Change a logical operator or a negation: `and` ↔ `or`, add or remove `not`, `not (a and b)` ↔ `not a and b` ↔
    `not a or not b`."""
    source = spot.source
    for node in spot.nodes:
        if isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield source.operator(left, right, rf"\b{old}\b", new)
        elif isinstance(node, ast.UnaryOp):
            yield source.replace(node, spot.text(node.operand))
    for test in spot.tests:
        yield source.replace(test, f"not {parenthesize(spot.text(test), NOT)}")
    for node in spot.nodes:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.BoolOp):
            parts = [spot.text(one) for one in node.operand.values]
            old, new = ("and", "or") if isinstance(node.operand.op, ast.And) else ("or", "and")
            for joint in (old, new):
                yield source.replace(node, f" {joint} ".join(f"not {parenthesize(one, NOT)}" for one in parts))
            yield source.replace(node, f" {old} ".join([f"not {parenthesize(parts[0], NOT)}", *parts[1:]]))
        elif isinstance(node, ast.BoolOp):
            bare = [spot.text(one.operand if _is_not(one) else one) for one in node.values]  # type: ignore[attr-defined]
            if any(_is_not(one) for one in node.values):
                for joint in ("and", "or"):
                    yield source.replace(node, f"not ({f' {joint} '.join(parenthesize(one, AND + 1) for one in bare)})")


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def regroup(spot: TemplateSite) -> Drafts:
    """Change the grouping of operands: `(a + b) * c` ↔ `a + b * c`, `(a or b) and c` ↔ `a or b and c`, `f(a + b)` ↔
    `f(a) + b`."""
    for node in spot.nodes:
        if isinstance(node, ast.BinOp):
            for text in _rotated(spot, node):
                yield spot.source.replace(node, text)
            yield _grouped_first(spot, node)
        elif isinstance(node, ast.BoolOp):
            yield from _regrouped(spot, node)
        elif isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.BinOp):
            inner, called = node.args[0], spot.text(node.func)
            if (sign := _sign(inner)) and not node.keywords:
                left, right = spot.text(inner.left), spot.text(inner.right)
                yield spot.source.replace(node, _binary(f"{called}({left})", sign, right))
                yield spot.source.replace(node, _binary(left, sign, f"{called}({right})"))
        elif isinstance(node, ast.IfExp) and isinstance(node.orelse, ast.BinOp) and (sign := _sign(node.orelse)):
            whole = f"{spot.text(node.body)} if {spot.text(node.test)} else {spot.text(node.orelse.left)}"
            yield spot.source.replace(node, _binary(whole, sign, spot.text(node.orelse.right)))


def _binary(left: str, sign: str, right: str) -> str:
    """Combine two operands with an operator, adding parentheses where they are needed."""
    least = rank(f"a {sign} b")
    return f"{parenthesize(left, least)} {sign} {parenthesize(right, least + 1)}"


def _sign(node: ast.BinOp) -> str:
    return OPERATORS[type(node.op)][0] if type(node.op) in OPERATORS else ""


def _rotated(spot: TemplateSite, node: ast.BinOp) -> list[str]:
    """Return variants of an expression: its two operators are applied in the other order, or a call around one operand
    is extended to both operands."""
    found, sign, text = [], _sign(node), spot.text
    left, right = node.left, node.right
    if isinstance(left, ast.BinOp) and _differ(_sign(left), sign):
        found.append(_binary(text(left.left), _sign(left), _binary(text(left.right), sign, text(right))))
    if isinstance(right, ast.BinOp) and _differ(_sign(right), sign):
        found.append(_binary(_binary(text(left), sign, text(right.left)), _sign(right), text(right.right)))
    if isinstance(left, ast.Call) and len(left.args) == 1 and not left.keywords and sign:
        found.append(f"{text(left.func)}({_binary(text(left.args[0]), sign, text(right))})")
    if isinstance(right, ast.Call) and len(right.args) == 1 and not right.keywords and sign:
        found.append(f"{text(right.func)}({_binary(text(left), sign, text(right.args[0]))})")
    return found


def _grouped_first(spot: TemplateSite, node: ast.BinOp) -> Draft | None:
    """Apply an operator before all operators of its right operand: `a - b * c / d` → `(a - b) * c / d`."""
    leaf, depth = node.right, 0
    while isinstance(leaf, ast.BinOp):
        leaf, depth = leaf.left, depth + 1
    start, end = spot.source.span(node.left)[0], spot.source.span(leaf)[1]
    if depth < 2 or b"(" in spot.source.data[spot.source.span(node.left)[1] : spot.source.span(leaf)[0]]:
        return None
    return Draft(f"calculate `{spot.source.data[start:end].decode()}` first", ((start, start, "("), (end, end, ")")))


def _differ(one: str, other: str) -> bool:
    """Return whether the order in which two operators are applied matters."""
    return bool(one and other) and (one, other) not in (("+", "+"), ("*", "*"))


def _regrouped(spot: TemplateSite, node: ast.BoolOp) -> Drafts:
    joint, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    first, last = node.values[0], node.values[-1]
    if isinstance(last, ast.BoolOp):
        head = [*node.values[:-1], last.values[0]]
        whole = _joined(spot, head, joint)
        yield spot.source.replace(
            node, f" {other} ".join([whole, *(_operand(spot, one, other) for one in last.values[1:])])
        )
    if isinstance(first, ast.BoolOp):
        whole = _joined(spot, [first.values[-1], *node.values[1:]], joint)
        yield spot.source.replace(
            node, f" {other} ".join([*(_operand(spot, one, other) for one in first.values[:-1]), whole])
        )


def _joined(spot: TemplateSite, parts: list[ast.expr], joint: str) -> str:
    """Join parts with `and` or `or`; the result of `or` is put in parentheses, since `or` binds less tightly."""
    whole = f" {joint} ".join(_operand(spot, one, joint) for one in parts)
    return whole if joint == "and" else f"({whole})"


def _operand(spot: TemplateSite, node: ast.expr, joint: str) -> str:
    return parenthesize(spot.text(node), rank(f"a {joint} b"))


def chained(spot: TemplateSite) -> Drafts:
    """Remove a comparison from a chain, or add one: `a < b < c` → `a < b`, `b < c`; `a < b` → `0 <= a < b`, `a < b <
    c`."""
    source = spot.source
    for node in spot.nodes:
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            start, end = source.span(node)
            if len(node.ops) > 1:
                yield Draft("remove the last comparison", ((source.span(node.comparators[-2])[1], end, ""),))
                yield Draft("remove the first comparison", ((start, source.span(node.comparators[0])[0], ""),))
                continue
            up = isinstance(node.ops[0], ast.Lt | ast.LtE)
            first, last = spot.text(node.left), spot.text(node.comparators[0])
            for name in ["0", "1", *spot.names(node)]:
                if name not in (first, last) and spot.scope.fits(name, _of(spot, node.left)):
                    for sign in ("<=", "<") if up else (">=", ">"):
                        yield source.replace(node, f"{name} {sign} {spot.text(node)}")
                        yield source.replace(node, f"{spot.text(node)} {sign} {name}")


def membership(spot: TemplateSite) -> Drafts:
    """Replace an equality test by a membership test: `a == b` → `a in t`, `a in (b, c)`; `a != b` → `a not in t`, `a
    not in (b, c)`."""
    for node in spot.nodes:
        if not isinstance(node, ast.Compare) or len(node.ops) > 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        left, right = spot.text(node.left), spot.text(node.comparators[0])
        sign = "in" if isinstance(node.ops[0], ast.Eq) else "not in"
        members = [f"self.{name}" for name in spot.members(ast.Name("self")) if name not in spot.donors.library.methods]
        kinds = spot.scope.kinds(node.comparators[0])
        holders = [
            *spot.donors.sized,
            *(one for one in members if spot.scope.fits(one, ITERABLE)),
            *spot.donors.globals,
        ]
        for holder in holders:
            yield spot.source.replace(node, f"{parenthesize(left, rank('a | b'))} {sign} {holder}")
        if kinds and kinds <= TEXT | NUMBER | {"none", "bool"}:
            others = [*spot.donors.constants, *spot.donors.library.hints, *spot.donors.globals]
            for other in others:
                if other != right and spot.scope.of(other) & (kinds | {"none"}):
                    yield spot.source.replace(node, f"{parenthesize(left, rank('a | b'))} {sign} ({right}, {other})")


def off_by_one(spot: TemplateSite) -> Drafts:
    """Add or subtract 1: `e` → `e + 1`, `e - 1`, where `e` may be a number; bounds and indices come first."""
    nodes = sorted((node for node in spot.values if isinstance(node, NUMBERS)), key=lambda node: -_counts(spot, node))
    for step in ("+ 1", "- 1"):
        for node in nodes:
            draft = spot.source.replace(node, f"{spot.text(node)} {step}")
            yield draft if spot.scope.fits("1", spot.scope.kinds(node)) else draft.at(ODD / 3)


def _counts(spot: TemplateSite, node: ast.expr) -> int:
    """Rate how likely a value is to be a count or an index."""
    parent = spot.source.parents.get(node)
    if isinstance(parent, ast.Slice) or (isinstance(parent, ast.Subscript) and node is parent.slice):
        return 2
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "range":
        return 2
    return int(isinstance(parent, ast.Compare | ast.BinOp) or bool(spot.scope.kinds(node) & NUMBER))


def _escaped(operator: str) -> str:
    """Return a pattern for exactly this operator: `*` but not `**`."""
    body = "".join(f"\\{letter}" for letter in operator)
    return rf"(?<![*/<>]){body}(?![*/<>])"
