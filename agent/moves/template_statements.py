"""Templates that change conditions or put statements in, out or elsewhere."""

from __future__ import annotations

import ast

from agent.moves.template_donors import unique
from agent.moves.template_source import Definition, Draft
from agent.moves.template_spot import Drafts, Spot

METHODS = {
    "list": ("append({})", "pop()"),
    "set": ("add({})", "discard({})"),
    "deque": ("append({})",),
    "dict": ("pop({}, None)",),
    "queue": ("append({})",),
}


def or_condition(spot: Spot) -> Drafts:
    """`c` → `c or d`, `d or c`, `c and d`, where the truth of `c` is asked for."""
    for donor in spot.donors.conditions:
        for test in spot.tests:
            text = spot.text(test)
            if donor == text:
                continue
            loose = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or)
            yield spot.source.replace(test, f"{text} or {donor}")
            yield spot.source.replace(test, f"{donor} or {text}")
            yield spot.source.replace(test, f"{f'({text})' if loose else text} and {donor}")
            yield spot.source.replace(test, f"{donor} and {f'({text})' if loose else text}")


def replace_condition(spot: Spot) -> Drafts:
    """`while True` → `while queue`, `if a` → `if b`."""
    for test in spot.tests:
        text = spot.text(test)
        for donor in [*spot.donors.conditions, "True", "False"]:
            if donor != text:
                yield spot.source.replace(test, donor)
    if isinstance(spot.statement, ast.Return) and spot.statement.value is not None:
        for donor in spot.donors.conditions:
            yield spot.source.replace(spot.statement.value, donor)


def guard(spot: Spot) -> Drafts:
    """Before the statement: `if d: return r`, or in a loop `continue` or `break`."""
    ends = ["continue", "break"] if _in_loop(spot) else []
    ends += [f"return {value}" for value in spot.donors.returns[:10]]
    for weight in range(len(spot.donors.conditions) + len(ends)):
        for place, end in enumerate(ends[: weight + 1]):
            if weight - place < len(spot.donors.conditions):
                donor = spot.donors.conditions[weight - place]
                yield spot.source.insert(spot.statement, [f"if {donor}:", f"{spot.source.indent}{end}"])


def insert(spot: Spot) -> Drafts:
    """A statement of the function again, before this one: as it is, or with another name."""
    renamed = [text for line in spot.donors.simple for text in spot.donors.renamed(line)]
    yield from _inserted(spot, [*spot.donors.simple, *renamed])


def update(spot: Spot) -> Drafts:
    """A statement that brings a container or a name up to date: `seen.add(node)`, `last = node`, `n += 1`."""
    values = [name for name in spot.donors.names if name not in spot.donors.containers and name != "self"]
    lines: list[str] = []
    for name, kind in spot.donors.containers.items():
        for method in METHODS[kind]:
            lines += [f"{name}.{method.format(value)}" for value in (values if "{" in method else [""])]
    lines += [f"{left} = {right}" for left in values for right in values if left != right]
    lines += [f"{name} {sign}= 1" for name in values for sign in "+-"]
    yield from _inserted(spot, lines)


def _inserted(spot: Spot, lines: list[str]) -> Drafts:
    own = spot.text(spot.statement)
    for text in unique(lines):
        if text != own:
            yield spot.source.insert(spot.statement, [text])
            if _is_last(spot):
                yield spot.source.insert(spot.statement, [text], after=True)


def leave(spot: Spot) -> Drafts:
    """`break` ↔ `continue`, `raise` or a plain value → `return` of something, `return` of another value."""
    statement = spot.statement
    span = spot.source.span(statement)
    if isinstance(statement, ast.Break | ast.Continue):
        for text in ("continue", "break", *(f"return {value}" for value in spot.donors.returns)):
            yield Draft(f"replace `{spot.text(statement)}` by `{text}`", ((*span, text),))
    elif isinstance(statement, ast.Return | ast.Raise):
        for value in spot.donors.returns:
            yield Draft(f"return `{value}` instead", ((*span, f"return {value}"),))
        for value in spot.donors.atoms:
            yield Draft(f"return `{value}` instead", ((*span, f"return {value}"),))
    elif isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Yield | ast.YieldFrom | ast.Await):
        yield Draft("return the value", ((span[0], span[0], "return "),))
    if (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is None
    ):
        for value in [*spot.donors.atoms, "[]", "{}", "set()", "0", "''"]:
            yield spot.source.replace(statement.value, value)


def drop(spot: Spot) -> Drafts:
    """Take the statement out, or let it and the one after it change places."""
    statement = spot.statement
    if isinstance(statement, Definition | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
        return
    parent = spot.source.parents.get(statement)
    for field in ("body", "orelse", "finalbody"):
        block = getattr(parent, field, [])
        if isinstance(block, list) and statement in block:
            place = block.index(statement)
            if place + 1 < len(block):
                after = block[place + 1]
                if spot.text(after) != spot.text(statement) and not isinstance(after, Definition | ast.ClassDef):
                    yield Draft(
                        "change the order of two statements",
                        (
                            (*spot.source.span(statement), spot.text(after)),
                            (*spot.source.span(after), spot.text(statement)),
                        ),
                    )
            if not isinstance(statement, ast.Return | ast.Pass):
                yield Draft(
                    f"take out `{spot.text(statement).splitlines()[0]}`", ((*spot.source.span(statement), "pass"),)
                )


def _in_loop(spot: Spot) -> bool:
    node: ast.AST | None = spot.source.parents.get(spot.statement)
    while node is not None and not isinstance(node, Definition):
        if isinstance(node, ast.For | ast.While | ast.AsyncFor):
            return True
        node = spot.source.parents.get(node)
    return False


def _is_last(spot: Spot) -> bool:
    """Whether no statement of its block follows, so that inserting before the next cannot reach that place."""
    parent = spot.source.parents.get(spot.statement)
    blocks = [getattr(parent, field, None) for field in ("body", "orelse", "finalbody")]
    return any(isinstance(block, list) and block and block[-1] is spot.statement for block in blocks)
