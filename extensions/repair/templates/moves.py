"""Templates that move a statement within its function: in another order, into or out of a block."""

from __future__ import annotations

import ast

from extensions.experiment.source.code_blocks import (
    BLOCKS,
    Compound,
    Loop,
    block,
    enclosing_nodes,
    has_outer_jump,
    is_movable,
    line_span,
    removal_edit,
    unindented_lines,
)
from extensions.experiment.source.source_file import Definition, Draft, brief
from extensions.repair.candidates.template_site import Drafts, TemplateSite

FARTHEST, MOST_ABOVE = 6, 3


def order(spot: TemplateSite) -> Drafts:
    """Swap the statement with the next one."""
    found, place = block(spot.source, spot.statement)
    if place + 1 < len(found) and is_movable(spot.statement) and is_movable(found[place + 1]):
        pair = (spot.statement, found[place + 1])
        lines = [line_span(spot.source, one, one) for one in pair]
        spans = [line for line in lines if line is not None]
        if len(spans) < 2:
            if any(isinstance(one, Compound) for one in pair):
                return
            spans = [spot.source.span(one) for one in pair]
        one, after = (spot.source.data[start:end].decode() for start, end in spans)
        if one != after:
            what = " and ".join(f"`{brief(spot.text(statement))}`" for statement in pair)
            yield Draft(f"change the order of {what}", ((*spans[0], after), (*spans[1], one)))


def elsewhere(spot: TemplateSite) -> Drafts:
    """Move the statement two or more places up or down in its block."""
    found, place = block(spot.source, spot.statement)
    for distance in range(2, FARTHEST + 1):
        for target in (place - distance, place + distance):
            if 0 <= target < len(found):
                yield _moved(spot, spot.statement, found[target], target > place)


def outward(spot: TemplateSite) -> Drafts:
    """Move the statement out of its block: before the enclosing statement, or after it together with the statements
    that follow in the block."""
    found, place = block(spot.source, spot.statement)
    parent = spot.source.parents.get(spot.statement)
    if not isinstance(parent, ast.stmt) or isinstance(parent, Definition | ast.ClassDef) or not found:
        return
    if place > 0:
        yield _moved(spot, found[-1], parent, after=True)
    if not isinstance(spot.statement, ast.Return) and not has_outer_jump(spot.statement):
        level, above = block(spot.source, parent)
        for target in reversed(level[max(0, above - MOST_ABOVE) : above + 1]):
            yield _moved(spot, spot.statement, target, after=False, alone=True)
    loop = next((one for one in enclosing_nodes(spot.source, spot.statement) if isinstance(one, Loop)), None)
    if loop is not None and loop is not parent:
        yield _moved(spot, found[-1], loop, after=True)
        yield _moved(spot, spot.statement, loop, after=False, alone=True)


def inward(spot: TemplateSite) -> Drafts:
    """Move the statement into a neighbouring block: to the end of the previous block, or to the start or end of the
    next one.

    The statements that follow it may be moved to the end of the previous block together with it.
    """
    found, place = block(spot.source, spot.statement)
    if not found or not is_movable(spot.statement):
        return
    before = found[place - 1] if place else None
    for body in _bodies(before):
        yield _moved(spot, spot.statement, body[-1], after=True, alone=True)
        if spot.statement is not found[-1]:
            yield _moved(spot, found[-1], body[-1], after=True)
    after = found[place + 1] if place + 1 < len(found) else None
    for body in _bodies(after):
        yield _moved(spot, spot.statement, body[0], after=False, alone=True)
        yield _moved(spot, spot.statement, body[-1], after=True, alone=True)


def _bodies(statement: ast.stmt | None) -> list[list[ast.stmt]]:
    """Return the blocks of a compound statement, and recursively those of their last statements."""
    found: list[list[ast.stmt]] = []
    if statement is None or isinstance(statement, Definition | ast.ClassDef):
        return found
    for field in BLOCKS:
        body = getattr(statement, field, None)
        if isinstance(body, list) and body and all(isinstance(one, ast.stmt) for one in body):
            found += [body, *_bodies(body[-1])]
    return found


def _moved(spot: TemplateSite, last: ast.stmt, target: ast.stmt, after: bool, alone: bool = False) -> Draft | None:
    """Move the statements from the current one to `last` before or after `target`, with the indentation of `target`."""
    source, first = spot.source, spot.statement
    last = first if alone else last
    found, place = block(source, first)
    if not found or not all(is_movable(one) for one in found[place : found.index(last) + 1]):
        return None
    lines, out = unindented_lines(source, first, last), removal_edit(source, first, last)
    if lines is None or out is None:
        return None
    if source.data[source.line_start(source.span(target)[0]) : source.span(target)[0]].strip():
        return None
    put = source.insert(target, lines, after=after)
    if put is None:
        return None
    (at, _, text) = put.edits[0]
    if out[0] < at < out[1]:
        return None
    where = "after" if after else "before"
    return Draft(
        f"move `{brief(source.text(first).splitlines()[0])}` {where} `{brief(source.text(target).splitlines()[0])}`",
        (out, (at, at, text)),
    )
