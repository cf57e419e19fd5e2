"""Edits that several templates make, and how alike names are."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from agent.repair.source import Draft
from agent.repair.spot import Spot


def without(spot: Spot, holder: ast.expr, parts: Sequence[ast.expr | ast.keyword], place: int) -> Draft | None:
    """The call or display without one of its parts and the comma beside it."""
    spans = [_whole(spot, one) for one in parts]
    start, end = spans[place]
    if place + 1 < len(spans):
        end = spans[place + 1][0]
    elif place:
        start = spans[place - 1][1]
    text = spot.source.data[start:end]
    before = text.count(b"(") - text.count(b")")
    what = spot.source.data[slice(*spans[place])].decode()
    return Draft(f"take `{what}` out of `{spot.text(holder)[:60]}`", ((start, end, ""),)) if before == 0 else None


def _whole(spot: Spot, part: ast.expr | ast.keyword) -> tuple[int, int]:
    """Where a part begins and ends, its name or stars included."""
    if isinstance(part, ast.keyword):
        line = spot.source.position(part.lineno, part.col_offset)
        return line, spot.source.span(part.value)[1]
    return spot.source.span(part)


def renamed_attribute(spot: Spot, node: ast.Attribute, name: str) -> Draft:
    """The attribute with another name, what stands before it as it is."""
    end = spot.source.span(node)[1]
    value = spot.text(node.value)
    edit = (end - len(node.attr.encode()), end, name)
    return Draft(f"replace `{value}.{node.attr}` by `{value}.{name}`", (edit,))


def alike(one: str, other: str) -> int:
    """How many letters two names share at the start or at the end, whichever is more."""
    shorter = min(len(one), len(other))
    head = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    tail = next((at for at in range(shorter) if one[-1 - at] != other[-1 - at]), shorter)
    return max(head, tail)
