"""Templates that change slices, indices and ranges."""

from __future__ import annotations

import ast

from extensions.experiment.source.source_file import ATOM, Draft, parenthesize, rank
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.analysis.value_types import INDEXED, NUMBER, UNKNOWN
from extensions.repair.candidates.template_site import Drafts, TemplateSite

SUM = rank("a + b")
MOST_BOUNDS = 8


def cut(spot: TemplateSite) -> Drafts:
    """Replace a sequence by a slice or an element of it: `x` → `x[1:]`, `x[:-1]`, `x[n:]`, `x[::-1]`, `x[0]`."""
    bounds = _bounds(spot)
    parts = ["1:", ":-1", "::-1", ":", *(f"{one}:" for one in bounds), *(f":{one}" for one in bounds)]
    single = ["0", "-1", *bounds]
    nodes = [node for node in spot.values if isinstance(node, ast.Name | ast.Attribute | ast.Call)]
    for part in [*parts, *single]:
        for node in nodes:
            kinds = spot.scope.kinds(node)
            indexed = not kinds or kinds & INDEXED or ("mapping" in kinds and ":" not in part)
            if indexed and part != spot.text(node):
                yield spot.source.replace(node, f"{spot.text(node)}[{part}]")


def _bounds(spot: TemplateSite) -> list[str]:
    return [name for name in spot.donors.plain if spot.scope.fits(name, NUMBER)]


def bounds(spot: TemplateSite) -> Drafts:
    """Change the bounds or the step of a slice: `x[a:b]` → `x[a:]`, `x[:b]`, `x[:-a]`, `x[a:b + 1]`, `x[a:c]`,
    `x[-a:b]`, `x[a:b:2]`."""
    yield from interleave(_sliced(spot, node) for node in spot.nodes if isinstance(node, ast.Subscript))


def _sliced(spot: TemplateSite, node: ast.Subscript) -> Drafts:
    part = node.slice
    if not isinstance(part, ast.Slice):
        return
    source = spot.source
    for one in (part.lower, part.upper, part.step):
        if one is not None:
            yield Draft(f"remove `{spot.text(one)}` from the slice", ((*source.span(one), ""),))
    lower, upper, step = (spot.text(one) if one else "" for one in (part.lower, part.upper, part.step))
    tail = f":{step}" if step else ""
    values = unique(["1", "-1", *_bounds(spot), *(f"len({name})" for name in spot.donors.sized[:2])])[:MOST_BOUNDS]
    texts = [f"{_plus_one(lower)}:{upper}{tail}", f"{lower}:{_plus_one(upper)}{tail}"]
    texts += [f"{upper}:{lower}{tail}", f"{lower}:{upper}:-1", f"{lower}:{upper}:2"]
    if lower:
        negative = f"-{parenthesize(lower, ATOM)}"
        texts += [f":{negative}{tail}", f":{lower}{tail}", f"{negative}:{upper}{tail}"]
    if upper:
        negative = f"-{parenthesize(upper, ATOM)}"
        texts += [
            f"{upper.removeprefix('-')}:{tail}",
            f"{upper}:{tail}",
            f"{lower}:{negative}{tail}",
            f"{negative}:{tail}",
        ]
    if not lower:
        texts += [f"{one}:{upper}{tail}" for one in values]
    if not upper:
        texts += [f"{lower}:{one}{tail}" for one in values]
    start, end = source.span(part)
    for text in unique(texts):
        yield Draft(f"use the slice `[{text}]` of `{spot.text(node.value)}`", ((start, end, text),))


def _plus_one(text: str) -> str:
    return f"{parenthesize(text, SUM)} + 1" if text else "1"


def index(spot: TemplateSite) -> Drafts:
    """Change an index: `x[i]` → `x[-i]`, `x[i:]`, `x[:i]`, `x[-1]`; `x[i][j]` → `x[j][i]`."""
    for node in spot.nodes:
        if not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice | ast.Tuple):
            continue
        text, span = spot.text(node.slice), spot.source.span(node.slice)
        inner = node.value
        if isinstance(inner, ast.Subscript) and not isinstance(inner.slice, ast.Slice):
            other = spot.text(inner.slice)
            if other != text:
                yield Draft(
                    f"swap `[{other}]` and `[{text}]`", ((*spot.source.span(inner.slice), text), (*span, other))
                )
        kinds = spot.scope.kinds(node.value)
        if kinds and not kinds & INDEXED:
            continue
        for new in (
            "-1",
            "0",
            f"-{parenthesize(text, ATOM)}",
            f"{parenthesize(text, SUM)} + 1",
            f"{parenthesize(text, SUM)} - 1",
        ):
            if new != text:
                yield Draft(f"use `[{new}]` of `{spot.text(node.value)}`", ((*span, new),))
        if isinstance(node.ctx, ast.Load):
            for new in (f"{text}:", f":{text}", f"-{parenthesize(text, ATOM)}:"):
                yield Draft(f"use the slice `[{new}]` of `{spot.text(node.value)}`", ((*span, new),))


def ranges(spot: TemplateSite) -> Drafts:
    """Change a range or an enumeration: `range(n)` → `range(1, n)`, `range(n + 1)`, `range(i, n)`, `range(len(n))`, a
    descending range; `enumerate(x)` → `enumerate(x, 1)`."""
    for node in spot.values:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
            continue
        parts = [spot.text(one) for one in node.args]
        if node.func.id == "range" and 1 <= len(parts) <= 3:
            for text in _ranges(spot, parts):
                yield spot.source.replace(node, f"range({text})")
            yield spot.source.replace(node, f"reversed({spot.text(node)})")
        elif node.func.id == "enumerate" and len(parts) == 1:
            yield spot.source.replace(node, f"enumerate({parts[0]}, 1)")
        elif node.func.id == "enumerate" and len(parts) == 2:
            yield spot.source.replace(node, f"enumerate({parts[0]})")
    if isinstance(spot.statement, ast.For):
        node = spot.statement.iter
        if isinstance(node, ast.Name | ast.Attribute):
            text = spot.text(node)
            kinds = spot.scope.kinds(node)
            ways = [] if kinds & NUMBER else [f"range(len({text}))", f"enumerate({text})", f"reversed({text})"]
            ways += (
                [f"range({text})", f"range({text} + 1)", f"range(1, {text} + 1)"] if kinds in (UNKNOWN, NUMBER) else []
            )
            for way in ways:
                yield spot.source.replace(node, way)


def _ranges(spot: TemplateSite, parts: list[str]) -> list[str]:
    names = [name for name in _bounds(spot) if name not in parts][:MOST_BOUNDS]
    if len(parts) == 1:
        end = parts[0]
        found = [_plus_one(end), f"1, {end}", f"1, {_plus_one(end)}", f"{parenthesize(end, SUM)} - 1", f"len({end})"]
        found += [f"{parenthesize(end, SUM)} - 1, -1, -1", f"{end}, 0, -1", f"0, {end}, 2"]
        return found + [f"{name}, {end}" for name in names] + [f"{name} + 1, {end}" for name in names]
    start, end = parts[:2]
    found = [f"{start}, {_plus_one(end)}", f"{_plus_one(start)}, {end}", end, f"{end}, {start}", f"0, {end}"]
    found += [f"{_plus_one(start)}, {_plus_one(end)}", f"{start}, {parenthesize(end, SUM)} - 1", f"{start}, {end}, -1"]
    found += [f"{start}, {end}"] if len(parts) == 3 else []
    return found + [f"{start}, {end}, {name}" for name in ["2", *names]] + [f"{name}, {end}" for name in names]
