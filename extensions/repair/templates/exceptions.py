"""Templates for exceptions: what is caught, what is raised, and which statements are in a `try`."""

from __future__ import annotations

import ast

from extensions.experiment.source.code_blocks import (
    block,
    in_function,
    in_loop,
    indented,
    is_movable,
    replacement_edit,
    unindented_lines,
)
from extensions.experiment.source.source_file import Draft, brief
from extensions.repair.analysis.name_usage import unique
from extensions.repair.candidates.runtime_hazards import possible_exceptions
from extensions.repair.candidates.template_site import Drafts, TemplateSite

NEAR: dict[str, tuple[str, ...]] = {
    "KeyError": ("IndexError", "LookupError", "TypeError", "AttributeError"),
    "IndexError": ("KeyError", "LookupError", "TypeError"),
    "ValueError": ("TypeError", "OverflowError", "KeyError"),
    "TypeError": ("ValueError", "AttributeError"),
    "AttributeError": ("TypeError", "KeyError"),
    "StopIteration": ("IndexError", "ValueError"),
    "ImportError": ("ModuleNotFoundError", "AttributeError"),
    "OSError": ("FileNotFoundError", "PermissionError"),
    "ZeroDivisionError": ("ArithmeticError", "ValueError", "TypeError"),
}
"""Exceptions that are often confused with each other or occur together, by name."""
USUAL = ("ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "StopIteration")
MOST_RETURNS = 6


def caught(spot: TemplateSite) -> Drafts:
    """Change the exceptions that are caught: `except A` → `except B`, `except (A, B)`, `except Exception`; or remove
    one of several."""
    if not isinstance(spot.statement, ast.Try):
        return
    body = [
        name for one in spot.statement.body for name in possible_exceptions(TemplateSite(spot.source, spot.donors, one))
    ]
    for handler in spot.statement.handlers:
        if handler.type is None:
            continue
        parts = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        names = [spot.text(one) for one in parts]
        near = [other for name in names for other in NEAR.get(name, ())]
        others = [name for name in unique([*body, *near, *USUAL]) if name not in names]
        start, end = spot.source.span(handler.type)
        texts = [f"({', '.join([*names, other])})" for other in others]
        texts += [*others, "Exception"]
        texts += [_listed([one for one in names if one != name]) for name in names if len(names) > 1]
        for text in texts:
            yield Draft(f"catch `{text}` instead of `{brief(spot.text(handler.type))}`", ((start, end, text),))


def refused(spot: TemplateSite) -> Drafts:
    """Change the exception that is raised: `raise A(...)` → `raise B(...)`, a bare `raise`, or another `raise`
    statement of the function."""
    if not isinstance(spot.statement, ast.Raise) or spot.statement.exc is None:
        return
    error = spot.statement.exc
    kind = error.func if isinstance(error, ast.Call) else error
    for name in unique([*NEAR.get(spot.text(kind), ()), *USUAL]):
        yield spot.source.replace(kind, name)
    span = spot.source.span(spot.statement)
    for text in ["raise", *spot.refusals]:
        yield Draft(f"use `{brief(text)}` instead of `{brief(spot.text(spot.statement))}`", ((*span, text),))


def attempt(spot: TemplateSite) -> Drafts:
    """Put the statement in a `try` whose `except` clause contains `pass`, `continue`, `return r`, or an assignment of
    another value."""
    source, statement = spot.source, spot.statement
    found, _ = block(source, statement)
    kinds = possible_exceptions(spot)
    lines = unindented_lines(source, statement, statement)
    if not found or not kinds or lines is None or not is_movable(statement) or not in_function(source, statement):
        return
    ends = ["continue", "break"] if in_loop(source, statement) else []
    ends += [f"return {value}" for value in spot.donors.returns[:MOST_RETURNS]]
    ends += [*spot.refusals[:3], "pass"]
    if isinstance(statement, ast.Assign):
        targets = [spot.text(one) for one in statement.targets]
        ends += [f"{targets[0]} = {value}" for value in ("None", "0", "[]", "''", *spot.donors.names)]
    for end in ends:
        for kind in kinds:
            new = ["try:", *indented(spot.indent, lines), f"except {kind}:", f"{spot.indent}{end}"]
            edit = replacement_edit(source, statement, statement, new)
            if edit is not None:
                yield Draft(f"catch `{kind}` from `{brief(source.text(statement))}` with `{end}`", (edit,))


def untry(spot: TemplateSite) -> Drafts:
    """Remove a `try` but keep its body, or remove one of its handlers."""
    statement, source = spot.statement, spot.source
    if not isinstance(statement, ast.Try):
        return
    rest = [*statement.orelse, *statement.finalbody]
    lines = unindented_lines(source, statement.body[0], statement.body[-1])
    after = (
        unindented_lines(source, rest[0], rest[-1]) if rest and not (statement.orelse and statement.finalbody) else []
    )
    if lines is not None and after is not None:
        edit = replacement_edit(source, statement, statement, [*lines, *after])
        yield edit and Draft("remove the `try`", (edit,))
    if len(statement.handlers) > 1:
        for place, handler in enumerate(statement.handlers):
            before = statement.handlers[place - 1].body[-1] if place else statement.body[-1]
            edit = (source.end_of(before), source.end_of(handler.body[-1]), "")
            yield Draft(f"remove `except {brief(spot.text(handler.type)) if handler.type else ''}`", (edit,))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
