"""Templates that change the control flow, or remove a statement."""

from __future__ import annotations

import ast

from extensions.experiment.source.code_blocks import (
    Compound,
    Loop,
    block,
    has_outer_jump,
    in_function,
    in_loop,
    indented,
    is_elif,
    is_movable,
    line_span,
    removal_edit,
    replacement_edit,
    unindented_lines,
)
from extensions.experiment.source.source_file import Draft, Source, brief, parenthesize
from extensions.repair.analysis.name_usage import unique
from extensions.repair.candidates.template_site import Drafts, TemplateSite


def leave(spot: TemplateSite) -> Drafts:
    """Change how a block is left: `break` ↔ `continue`; `raise` or a plain expression → `return`; or return another
    value."""
    statement = spot.statement
    span = spot.source.span(statement)
    if isinstance(statement, ast.Break | ast.Continue):
        for text in ("continue", "break", "pass", *(f"return {value}" for value in spot.donors.returns)):
            yield Draft(f"replace `{spot.text(statement)}` by `{text}`", ((*span, text),))
    elif isinstance(statement, ast.Return | ast.Raise):
        for value in unique([*spot.donors.returns, *spot.donors.atoms]):
            yield Draft(f"return `{value}` instead", ((*span, f"return {value}"),))
        if in_loop(spot.source, statement):
            for text in ("continue", "break"):
                yield Draft(f"use `{text}` instead of `{brief(spot.text(statement))}`", ((*span, text),))
    elif isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Yield | ast.YieldFrom | ast.Await):
        yield Draft("return the value", ((span[0], span[0], "return "),))
    if isinstance(statement, ast.Assign) and _is_none(statement.value):
        for value in unique([*spot.donors.atoms, "[]", "{}", "set()", "0", "''"]):
            yield spot.source.replace(statement.value, value)


def deliver(spot: TemplateSite) -> Drafts:
    """Change how a value is used.

    Examples: `return e` ↔ `yield e`, `yield from e`; `return e` → `raise`; `x = e` → `return e`; `x.strip()` → `x =
    x.strip()`.
    """
    statement = spot.statement
    start, end = spot.source.span(statement)
    if not in_function(spot.source, statement):
        return
    if isinstance(statement, ast.Return) and statement.value is not None:
        text = spot.text(statement.value)
        for new in (f"yield {text}", f"yield from {parenthesize(text, 0)}"):
            yield Draft(f"use `{brief(new)}` instead of `return`", ((start, end, new),))
        for refusal in spot.refusals:
            yield Draft(f"use `{brief(refusal)}` instead of returning", ((start, end, refusal),))
    elif isinstance(statement, ast.Assign):
        yield Draft("return the value", ((start, end, f"return {spot.text(statement.value)}"),))
    elif isinstance(statement, ast.Expr):
        yield from _used(spot, statement.value)


def _used(spot: TemplateSite, value: ast.expr) -> Drafts:
    start, end = spot.source.span(spot.statement)
    if isinstance(value, ast.Yield | ast.YieldFrom) and value.value is not None:
        word = "yield" if isinstance(value, ast.YieldFrom) else "yield from"
        for new in (word, "return"):
            text = f"{new} {parenthesize(spot.text(value.value), 0)}"
            yield Draft(f"use `{brief(text)}` instead", ((start, end, text),))
    elif isinstance(value, ast.Call):
        on = value.func.value if isinstance(value.func, ast.Attribute) else None
        near = [spot.text(on)] if isinstance(on, ast.Name | ast.Attribute) else []
        for name in unique([*near, *(spot.text(one) for one in value.args if isinstance(one, ast.Name))]):
            yield Draft(f"assign the value to `{name}`", ((start, start, f"{name} = "),))
        for name in spot.donors.names:
            if name not in ("self", "cls", *near):
                yield Draft(f"assign the value to `{name}`", ((start, start, f"{name} = "),), 0.5)


def drop(spot: TemplateSite) -> Drafts:
    """Remove the statement, or only its `else` or `elif` branch."""
    statement = spot.statement
    if not is_movable(statement):
        return
    found, _ = block(spot.source, statement)
    whole_body = found is getattr(spot.donors.holder, "body", None)
    if found and not isinstance(statement, ast.Pass) and not (isinstance(statement, ast.Return) and whole_body):
        edit = removal_edit(spot.source, statement, statement) or (*spot.source.span(statement), "pass")
        yield Draft(f"remove `{brief(spot.text(statement).splitlines()[0])}`", (edit,))
    if isinstance(statement, ast.If | ast.For | ast.While) and statement.orelse:
        cut = (spot.source.end_of(statement.body[-1]), spot.source.end_of(statement.orelse[-1]), "")
        yield Draft("remove the `else`", (cut,))


def unguard(spot: TemplateSite) -> Drafts:
    """Keep only the body of an `if`, `with`, `for` or `while`, or only the `else` of an `if`."""
    statement, source = spot.statement, spot.source
    if not isinstance(statement, Compound) or isinstance(statement, ast.Try | ast.Match) or is_elif(source, statement):
        return
    bodies = [statement.body, statement.orelse if isinstance(statement, ast.If) else []]
    for body in bodies:
        held = isinstance(statement, Loop) and any(has_outer_jump(one) for one in body)
        lines = unindented_lines(source, body[0], body[-1]) if body and not held else None
        edit = lines and replacement_edit(source, statement, statement, lines)
        if edit:
            if is_elif(source, body[0]):
                edit = (*edit[:2], edit[2].replace("elif", "if", 1))
            yield Draft(f"run `{brief(spot.text(body[0]))}` without `{brief(_head(source, statement))}`", (edit,))


def branches(spot: TemplateSite) -> Drafts:
    """Change the branches of an `if` or a loop.

    Swap `if` and `else`, change `elif` ↔ `if` or `if` ↔ `while`, move the statements after an `if` into its `else`, or
    move the statements of its `else` after the `if`.
    """
    statement, source = spot.statement, spot.source
    start = source.span(statement)[0]
    if isinstance(statement, ast.If):
        if is_elif(source, statement):
            yield Draft("use `if` instead of `elif`", ((start, start + 4, "if"),))
        else:
            if not statement.orelse or not is_elif(source, statement.orelse[0]):
                yield Draft("use `while` instead of `if`", ((start, start + 2, "while"),))
            found, place = block(source, statement)
            if place and isinstance(found[place - 1], ast.If):
                yield Draft("use `elif` instead of `if`", ((start, start + 2, "elif"),))
            if found and not statement.orelse and place + 1 < len(found):
                yield _into_else(source, statement, found[place + 1], found[place + 1])
                yield _into_else(source, statement, found[place + 1], found[-1])
        yield _swapped(source, statement)
    elif isinstance(statement, ast.While) and not statement.orelse:
        yield Draft("use `if` instead of `while`", ((start, start + 5, "if"),))
    if isinstance(statement, ast.If | ast.For | ast.While) and statement.orelse and not is_elif(source, statement):
        lines = unindented_lines(source, statement.orelse[0], statement.orelse[-1])
        if lines is not None:
            after = source.insert(statement, lines, after=True)
            if after is not None:
                cut = (source.end_of(statement.body[-1]), source.end_of(statement.orelse[-1]), "")
                yield Draft("always run the code of the `else`", (cut, *after.edits))


def _swapped(source: Source, statement: ast.If) -> Draft | None:
    if not statement.orelse or is_elif(source, statement.orelse[0]):
        return None
    first, second = statement.body, statement.orelse
    if any(line_span(source, one[0], one[-1]) is None for one in (first, second)):
        return None
    spans = [(source.span(one[0])[0], source.end_of(one[-1])) for one in (first, second)]
    texts = [source.data[start:end].decode() for start, end in spans]
    return Draft("swap the branches", ((*spans[0], texts[1]), (*spans[1], texts[0])))


def _into_else(source: Source, statement: ast.If, first: ast.stmt, last: ast.stmt) -> Draft | None:
    found, _ = block(source, first)
    lines = unindented_lines(source, first, last)
    if lines is None or not all(is_movable(one) for one in found[found.index(first) : found.index(last) + 1]):
        return None
    edit = replacement_edit(source, first, last, ["else:", *indented(source.unit(statement), lines)])
    return edit and Draft(
        f"run `{brief(source.text(first))}` only in the `else` of `{brief(_head(source, statement))}`", (edit,)
    )


def _head(source: Source, statement: ast.stmt) -> str:
    return source.text(statement).splitlines()[0]


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
