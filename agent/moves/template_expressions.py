"""Templates that change an expression: constants, names, calls, slices, terms."""

from __future__ import annotations

import ast
from collections.abc import Callable

from agent.moves.template_donors import unique
from agent.moves.template_source import Draft
from agent.moves.template_spot import Drafts, Spot

SIBLINGS = {
    "any": ("all",),
    "all": ("any",),
    "min": ("max",),
    "max": ("min",),
    "append": ("extend", "appendleft"),
    "extend": ("append",),
    "pop": ("popleft",),
    "popleft": ("pop",),
    "add": ("discard", "update"),
    "update": ("add",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "lower": ("upper",),
    "upper": ("lower",),
    "find": ("rfind", "index"),
    "rfind": ("find",),
    "strip": ("lstrip", "rstrip"),
    "lstrip": ("strip", "rstrip"),
    "rstrip": ("strip", "lstrip"),
    "split": ("rsplit",),
    "rsplit": ("split",),
    "keys": ("values", "items"),
    "values": ("keys", "items"),
    "items": ("values", "keys"),
    "issubset": ("issuperset",),
    "issuperset": ("issubset",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "union": ("intersection",),
    "intersection": ("union",),
    "partition": ("rpartition",),
    "rpartition": ("partition",),
    "list": ("sorted", "set"),
    "int": ("round", "float"),
}


def constant(spot: Spot) -> Drafts:
    """A number, string or truth value → a neighbour of it, another of the function, or what is at hand."""
    for node in spot.values:
        if isinstance(node, ast.List) and not node.elts:
            for name in [*spot.donors.names, "[]"]:
                yield spot.source.replace(node, f"[{name}]")
        if not isinstance(node, ast.Constant):
            continue
        value, near = node.value, []
        if isinstance(value, bool):
            near = [str(not value), *spot.donors.conditions[:30]]
        elif isinstance(value, int):
            near = [str(one) for one in (value + 1, value - 1, 0, 1, -value, 2, -1, 10 * value, value // 10)]
        elif isinstance(value, float):
            near = [str(one) for one in (value + 1, value - 1, 1.0, 0.0, 0.5, -value)]
        elif isinstance(value, str):
            near = ["''", repr(value.lower()), repr(value.upper()), repr(value.strip()), repr(value + " ")]
            if value.startswith("XX"):
                near.insert(0, repr(value.removeprefix("XX").removesuffix("XX")))
        atoms = [one for one in spot.donors.atoms if one not in near]
        same = [one for one in spot.donors.constants if (one[:1] in "\"'") == isinstance(value, str)]
        for text in unique([*near, *same, *atoms, "None"]):
            if text != spot.text(node):
                yield spot.source.replace(node, text)


def variable(spot: Spot) -> Drafts:
    """A name → another of the function, where it is read or written."""
    for node in spot.nodes:
        if isinstance(node, ast.Name):
            parent = spot.source.parents.get(node)
            called = isinstance(parent, ast.Call) and parent.func is node
            names = spot.donors.names if not called or node.id in spot.donors.names else []
            for name in [*names, *(spot.donors.globals if not called else [])]:
                if name != node.id:
                    yield spot.source.replace(node, name)


def similar_name(spot: Spot) -> Drafts:
    """A called function or an attribute → one with a like meaning, or one the file uses."""
    for node in spot.nodes:
        parent = spot.source.parents.get(node)
        if isinstance(node, ast.Name) and isinstance(parent, ast.Call) and parent.func is node:
            if node.id not in spot.donors.names:
                for name in [*SIBLINGS.get(node.id, ()), *spot.donors.called]:
                    if name != node.id:
                        yield spot.source.replace(node, name)
        elif isinstance(node, ast.Attribute):
            value = spot.text(node.value)
            for name in unique([*SIBLINGS.get(node.attr, ()), *sorted(spot.donors.attributes, key=_near(node.attr))]):
                if name != node.attr:
                    end = spot.source.span(node)[1]
                    edit = (end - len(node.attr.encode()), end, name)
                    yield Draft(f"replace `{value}.{node.attr}` by `{value}.{name}`", (edit,))


def expression(spot: Spot) -> Drafts:
    """A value → a name or short expression of the function."""
    kinds = ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.Name | ast.Tuple
    for node in spot.values:
        if isinstance(node, kinds):
            old = spot.text(node)
            for text in spot.donors.atoms:
                if text != old and not (isinstance(node, ast.Name) and text.isidentifier()):
                    yield spot.source.replace(node, text)


def unwrap(spot: Spot) -> Drafts:
    """`f(x)` → `x`, `x.m()` → `x`, `a + b` → `a` or `b`, `a and b` → `a` or `b`, `x[i]` → `x`."""
    for node in spot.values:
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            parts = [one for one in node.args if not isinstance(one, ast.Starred)]
            parts += [node.func.value] if isinstance(node.func, ast.Attribute) else []
        elif isinstance(node, ast.BinOp):
            parts = [node.right, node.left]
        elif isinstance(node, ast.BoolOp):
            parts = node.values
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.Subscript):
            parts = [node.value]
        for part in parts:
            yield spot.source.replace(node, spot.text(part))


def swap(spot: Spot) -> Drafts:
    """Two arguments, two operands, two elements of a tuple, or the branches of `x if c else y` change places."""
    for node in spot.nodes:
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            parts = [*node.args, *(one.value for one in node.keywords)]
        elif isinstance(node, ast.Tuple | ast.List):
            parts = node.elts
        elif isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        for first in range(min(len(parts), 5)):
            for second in range(first + 1, min(len(parts), 5)):
                one, other = parts[first], parts[second]
                if spot.text(one) != spot.text(other):
                    edits = (
                        spot.source.replace(one, spot.text(other)).edits
                        + spot.source.replace(other, spot.text(one)).edits
                    )
                    yield Draft(f"swap `{spot.text(one)}` and `{spot.text(other)}`", edits)


def cut(spot: Spot) -> Drafts:
    """A sequence → a part of it: `x` → `x[1:]`, `x[:-1]`, `x[n:]`, `x[::-1]`; the bounds of a slice taken out."""
    for node in spot.nodes:
        if isinstance(node, ast.Slice):
            for bound in (node.lower, node.upper, node.step):
                if bound is not None:
                    yield Draft(f"take `{spot.text(bound)}` out of the slice", ((*spot.source.span(bound), ""),))
    names = [name for name in spot.donors.names if name != "self"]
    for node in spot.values:
        if isinstance(node, ast.Name | ast.Attribute):
            text = spot.text(node)
            bounds = ["1:", ":-1", "::-1", ":", *(f"{name}:" for name in names), *(f":{name}" for name in names)]
            for part in bounds:
                yield spot.source.replace(node, f"{text}[{part}]")


def term(spot: Spot) -> Drafts:
    """`e` → `e + t`, `e - t`, `e * t`, `t + e`, for a name or short expression `t`."""
    kinds = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.ListComp
    for node in spot.values:
        if isinstance(node, kinds):
            text = spot.text(node)
            inner = f"({text})" if isinstance(node, ast.BinOp) else text
            for donor in spot.donors.atoms:
                other = f"({donor})" if " " in donor and "(" not in donor else donor
                for new in (f"{text} - {other}", f"{text} + {donor}", f"{donor} + {text}", f"{inner} * {other}"):
                    yield spot.source.replace(node, new)


def wrap(spot: Spot) -> Drafts:
    """`e` → `e ** 2`, `-e`, `[e]`, `abs(e)` and other plain calls; an element of a display taken out."""
    for node in spot.values:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp):
            text = spot.text(node)
            inner = f"({text})" if isinstance(node, ast.BinOp) else text
            for new in (f"{inner} ** 2", f"-{inner}", f"[{text}]"):
                yield spot.source.replace(node, new)
            for name in ("list", "abs", "str", "int", "len", "set", "tuple", "sorted", "float"):
                yield spot.source.replace(node, f"{name}({text})")


def extreme(spot: Spot) -> Drafts:
    """`e` → `max(e, t)`, `min(e, t)`; for `a = e` with `a` itself first."""
    statement = spot.statement
    first: list[tuple[ast.expr, list[str]]] = []
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name | ast.Subscript | ast.Attribute):
        first.append((statement.value, [spot.text(statement.targets[0]), "0", "1"]))
    rest = [
        (node, [*spot.donors.names, "0", "1"])
        for node in spot.values
        if isinstance(node, ast.Name | ast.BinOp | ast.Call)
    ]
    for node, others in [*first, *rest]:
        for other in others:
            if other != spot.text(node):
                for call in ("max", "min"):
                    yield spot.source.replace(node, f"{call}({other}, {spot.text(node)})")


def target(spot: Spot) -> Drafts:
    """What is assigned to → another target of the function, or an element or attribute of one of its names."""
    statement = spot.statement
    if isinstance(statement, ast.Assign | ast.AugAssign):
        places = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        stores = [text for text in spot.donors.atoms if text.endswith("]") or "." in text]
        keys = [text.partition("[")[2][:-1] for text in stores if text.endswith("]")]
        made = [f"{name}[{key}]" for name in spot.donors.sized for key in unique([*keys, *spot.donors.names])]
        for place in places:
            for text in unique([*stores, *made]):
                if "(" not in text and text != spot.text(place):
                    yield spot.source.replace(place, text)


def _near(name: str) -> Callable[[str], tuple[int, str]]:
    """Sorts names by how much of the start and the end they share with `name`."""

    def distance(other: str) -> tuple[int, str]:
        head = next(
            (at for at, (a, b) in enumerate(zip(name, other, strict=False)) if a != b), min(len(name), len(other))
        )
        tail = next((at for at, (a, b) in enumerate(zip(name[::-1], other[::-1], strict=False)) if a != b), 0)
        return -max(head, tail), other

    return distance
