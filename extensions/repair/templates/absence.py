"""Templates for conditions that test whether a value is None, empty, a sentinel of the module, or an instance of a
type."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import parenthesize, rank
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.candidates.template_site import Drafts, TemplateSite

TYPES = ("str", "bytes", "int", "float", "bool", "list", "tuple", "dict", "set", "frozenset", "type")
NOT, OPERAND, TEST = rank("not a"), rank("a | b"), rank("a or b")
ASKED = ast.Name | ast.Attribute | ast.Subscript | ast.Call
MOST_MARKERS, MOST_CLASSES = 6, 24


def truthiness(spot: TemplateSite) -> Drafts:
    """Change how a value is tested for None or emptiness: `x is not None` ↔ `x`, `x is None` ↔ `not x`, `len(x) == 0` ↔
    `not x`, `x is None` → `x is MISSING`."""
    seen: set[ast.expr] = set()
    streams = []
    for node in [*spot.tests, *(one for one in spot.values if isinstance(one, ast.Compare | ast.UnaryOp))]:
        if node not in seen:
            seen.add(node)
            streams.append(_asked(spot, node))
    yield from interleave(streams)


def _asked(spot: TemplateSite, node: ast.expr) -> Drafts:
    for text in unique(_questions(spot, node)):
        yield spot.source.replace(node, text)


def _questions(spot: TemplateSite, node: ast.expr) -> Iterator[str]:
    """Yield similar tests of the same value."""
    if isinstance(node, ASKED):
        text = spot.text(node)
        yield from (f"{text} is not None", f"len({text}) > 0", f"{text} is not True")
        yield from (f"{text} is not {one}" for one in _markers(spot))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ASKED):
        text = spot.text(node.operand)
        yield from (f"{text} is None", f"len({text}) == 0", f"{text} is False")
        yield from (f"{text} is {one}" for one in _markers(spot))
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right, sign = spot.text(node.left), spot.text(node.comparators[0]), node.ops[0]
        of_identity = isinstance(sign, ast.Is | ast.IsNot)
        positive = isinstance(sign, ast.IsNot | ast.NotEq | ast.Gt)
        if right in ("None", "0", "''", "[]", "{}", "()", "False", "True") or of_identity:
            wanted = positive if right != "True" else not positive
            inner = node.left.args[0] if isinstance(node.left, ast.Call) and left.startswith("len(") else node.left
            texts = unique([spot.text(inner), left])
            yield from (one if wanted else f"not {parenthesize(one, NOT)}" for one in texts)
            yield f"{parenthesize(left, OPERAND)} {'is not' if wanted else 'is'} None"
        if of_identity:
            word = "is not" if positive else "is"
            yield from (f"{parenthesize(left, OPERAND)} {word} {one}" for one in _markers(spot) if one != right)


def _markers(spot: TemplateSite) -> list[str]:
    """Return names that may be sentinels of the module, such as `MISSING` or `_no_default`."""
    names = [name for name in spot.donors.globals if name.startswith("_") or name.isupper()]
    words = ("no", "miss", "default", "empty", "unset", "sentinel", "null", "undefined")
    likely = [name for name in names if any(word in name.lower() for word in words)]
    return unique([*likely, *names])[:MOST_MARKERS]


def either(spot: TemplateSite) -> Drafts:
    """Change how a default is chosen: `x or d` ↔ `d if x is None else x`, also with a sentinel other than None."""
    for node in spot.values:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and len(node.values) == 2:
            value, other = (parenthesize(spot.text(one), TEST + 1) for one in node.values)
            for marker in ["None", *_markers(spot)]:
                yield spot.source.replace(node, f"{other} if {parenthesize(value, OPERAND)} is {marker} else {value}")
        elif isinstance(node, ast.IfExp):
            parts = [spot.text(node.body), spot.text(node.orelse)]
            for value, other in (parts, parts[::-1]):
                yield spot.source.replace(node, f"{parenthesize(value, TEST)} or {parenthesize(other, TEST + 1)}")
            body, orelse = (parenthesize(one, TEST) for one in parts)
            for test in unique(_questions(spot, node.test)):
                yield spot.source.replace(node, f"{body} if {test} else {orelse}")


def kind(spot: TemplateSite) -> Drafts:
    """Change a type check: `type(x) is T` ↔ `isinstance(x, T)`, `isinstance(x, T)` → `isinstance(x, (T, S))`,
    `isinstance(x, S)`."""
    for node in spot.nodes:
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.left, ast.Call):
            called, sign = node.left, node.ops[0]
            if isinstance(called.func, ast.Name) and called.func.id == "type" and len(called.args) == 1:
                negated = "not " * isinstance(sign, ast.IsNot | ast.NotEq | ast.NotIn)
                right = spot.text(node.comparators[0])
                yield spot.source.replace(node, f"{negated}isinstance({spot.text(called.args[0])}, {right})")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            yield from _kinds(spot, node)


def _kinds(spot: TemplateSite, node: ast.Call) -> Drafts:
    if len(node.args) != 2:
        return
    value, wanted = spot.text(node.args[0]), node.args[1]
    there = [spot.text(one) for one in (wanted.elts if isinstance(wanted, ast.Tuple) else [wanted])]
    asked = [call.args[1] for call in spot.donors.library.calls_like(spot.source, node) if len(call.args) == 2]
    near = [spot.text(one) for part in asked for one in (part.elts if isinstance(part, ast.Tuple) else [part])]
    classes = [name for name in spot.donors.library.members if name in spot.donors.library.visible(spot.source)]
    others = [one for one in unique([*near, *TYPES, *classes]) if one not in there and "\n" not in one][:MOST_CLASSES]
    for one in others:
        yield spot.source.replace(wanted, f"({', '.join([*there, one])})")
    for one in others:
        yield spot.source.replace(wanted, one)
    if len(there) == 1:
        yield spot.source.replace(node, f"type({value}) is {there[0]}")
