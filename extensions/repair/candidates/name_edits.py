"""Edits that several templates share, and a measure of the similarity of names."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from extensions.experiment.source.source_file import Draft
from extensions.repair.candidates.template_site import TemplateSite


def removal_draft(
    spot: TemplateSite, holder: ast.expr, parts: Sequence[ast.expr | ast.keyword], place: int
) -> Draft | None:
    """Return the edit that removes an argument of a call or an element of a display, together with its comma."""
    spans = [_whole(spot, one) for one in parts]
    start, end = spans[place]
    if place + 1 < len(spans):
        end = spans[place + 1][0]
    elif place:
        start = spans[place - 1][1]
    text = spot.source.data[start:end]
    before = text.count(b"(") - text.count(b")")
    what = spot.source.data[slice(*spans[place])].decode()
    return Draft(f"remove `{what}` from `{spot.text(holder)[:60]}`", ((start, end, ""),)) if before == 0 else None


def _whole(spot: TemplateSite, part: ast.expr | ast.keyword) -> tuple[int, int]:
    """Return the span of an argument or element, including the name or the stars of a keyword argument."""
    if isinstance(part, ast.keyword):
        line = spot.source.position(part.lineno, part.col_offset)
        return line, spot.source.span(part.value)[1]
    return spot.source.span(part)


def renamed_attribute(spot: TemplateSite, node: ast.Attribute, name: str) -> Draft:
    """Return the edit that renames an attribute and keeps the expression before it."""
    end = spot.source.span(node)[1]
    value = spot.text(node.value)
    edit = (end - len(node.attr.encode()), end, name)
    return Draft(f"replace `{value}.{node.attr}` by `{value}.{name}`", (edit,))


def shared_letters(one: str, other: str) -> int:
    """Return the length of the common prefix or the common suffix of two names, whichever is longer."""
    shorter = min(len(one), len(other))
    head = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    tail = next((at for at in range(shorter) if one[-1 - at] != other[-1 - at]), shorter)
    return max(head, tail)
