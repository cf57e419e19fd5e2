"""Templates that change a condition."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from extensions.experiment.source.code_blocks import BUILTINS
from extensions.experiment.source.source_file import RANKS, Draft, parenthesize
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.candidates.candidate_expressions import conditions, other_constants, replace_word
from extensions.repair.candidates.observed_conditions import Option, probed_values, rank_options, with_and, with_or
from extensions.repair.candidates.runtime_hazards import hazards, negate_condition
from extensions.repair.candidates.template_site import Drafts, TemplateSite

MOST_OPERANDS = 3
TYPES = ("str", "int", "list", "dict", "tuple", "bytes", "type")


def conjunct(spot: TemplateSite) -> Drafts:
    """Add an operand to a condition, built from the condition's own names and attributes.

    For example, `order[0].done` → `order and order[0].done`, `a.x == b.x` → `a.x == b.x and a.y == b.y`.
    """
    yield from interleave([_completed(spot, test) for test in _asked(spot)])


def _completed(spot: TemplateSite, test: ast.expr) -> Drafts:
    text = spot.text(test)
    inner, least = parenthesize(text, RANKS[ast.And]), parenthesize(text, RANKS[ast.Or])
    for part in unique(_parts(spot, test)):
        if part != text:
            yield spot.source.replace(test, f"{part} and {inner}")
            yield spot.source.replace(test, f"{inner} and {part}")
            yield spot.source.replace(test, f"{least} or {part}")
            yield spot.source.replace(test, f"{part} or {least}")


def _parts(spot: TemplateSite, test: ast.expr) -> Iterator[str]:
    """Yield tests of the names and attributes in a condition, and the same comparison of other attributes."""
    values = [node for node in ast.walk(test) if isinstance(node, ast.Name | ast.Attribute)]
    called = {id(node.func) for node in ast.walk(test) if isinstance(node, ast.Call)}
    texts = unique(spot.text(node) for node in values if id(node) not in called)
    read = [node for one in getattr(spot.statement, "body", [])[:2] for node in ast.walk(one)]
    near = unique(node.id for node in read if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    texts = [text for text in texts if text not in BUILTINS and text not in ("self", "cls")]
    for text in texts:
        yield from (text, f"{text} is not None", f"not {text}", f"{text} is None")
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Attribute):
        for other in spot.donors.library.attributes_of(spot.source, spot.text(test.left.value)):
            yield replace_word(spot.text(test), test.left.attr, other)
    for text in [*texts, *(one for one in near if one in spot.donors.visible and one not in texts)]:
        yield from (text, f"not {text}", f"callable({text})", f"not callable({text})")
        yield from (f"isinstance({text}, {kind})" for kind in TYPES)
        yield from (f"not isinstance({text}, {kind})" for kind in TYPES)


def or_condition(spot: TemplateSite) -> Drafts:
    """Combine a condition with another one: `c` → `c or d`, `d or c`, `c and d`, where `c` is used as a condition,
    returned or assigned."""
    donors = _donors(spot)
    yield from interleave([_widened(spot, test, donors) for test in _asked(spot)])


def _widened(spot: TemplateSite, test: ast.expr, donors: list[str]) -> Drafts:
    text = spot.text(test)
    truths = probed_values(spot, [text, *donors]) if _is_probed(spot, test) else {}
    before = truths.get(text)
    inner, least = parenthesize(text, RANKS[ast.And]), parenthesize(text, RANKS[ast.Or])
    options = []
    for donor in donors:
        if donor != text:
            there = truths.get(donor)
            other, either = parenthesize(donor, RANKS[ast.And]), parenthesize(donor, RANKS[ast.Or])
            options += [
                Option(f"{least} or {either}", before, with_or(before, there)),
                Option(f"{inner} and {other}", before, with_and(before, there)),
                Option(f"{either} or {least}", before, with_or(there, before)),
                Option(f"{other} and {inner}", before, with_and(there, before)),
            ]
    yield from _replaced(spot, test, options)


def alternative(spot: TemplateSite) -> Drafts:
    """Add a case to a comparison with a constant: `c == ","` → `c == "," or c == ";"`, `n % 4 == 0` → `n % 4 == 0 or n
    % 400 == 0`, `row < 0` → `row < 0 or row < SIZE`."""
    yield from interleave([_with_cases(spot, test) for test in _asked(spot)])


def _with_cases(spot: TemplateSite, test: ast.expr) -> Drafts:
    text = spot.text(test)
    either, both = parenthesize(text, RANKS[ast.Or]), parenthesize(text, RANKS[ast.And])
    parts = [one for one in ast.walk(test) if isinstance(one, ast.Compare) and len(one.ops) == 1]
    for case in unique(interleave(_cases(spot, one) for one in parts)):
        yield spot.source.replace(test, f"{either} or {case}")
        yield spot.source.replace(test, f"{both} and {case}")


def _cases(spot: TemplateSite, comparison: ast.Compare) -> Iterator[str]:
    """Yield the comparison with another constant in place of each of its constants."""
    start = spot.source.span(comparison)[0]
    data = spot.text(comparison).encode()
    for node in ast.walk(comparison):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float, str):
            first, last = (at - start for at in spot.source.span(node))
            for other in other_constants(spot, node.value):
                yield (data[:first] + other.encode() + data[last:]).decode()


def replace_condition(spot: TemplateSite) -> Drafts:
    """Replace a condition by another one: `while True` → `while queue`, `if a` → `if b`."""
    donors = [*_donors(spot), "True", "False"]
    yield from interleave([_other(spot, test, donors) for test in _asked(spot)])


def _other(spot: TemplateSite, test: ast.expr, donors: list[str]) -> Drafts:
    text = spot.text(test)
    truths = probed_values(spot, [text, *donors]) if _is_probed(spot, test) else {}
    yield from _replaced(spot, test, [Option(one, truths.get(text), truths.get(one)) for one in donors])


def junction(spot: TemplateSite) -> Drafts:
    """Negate operands of an `and` or `or`, with or without changing the operator: `a and b` → `a or not b`, `not a and
    not b`, `not a or b`."""
    for test in spot.nodes:
        if not isinstance(test, ast.BoolOp) or len(test.values) > MOST_OPERANDS:
            continue
        texts = [spot.text(one) for one in test.values]
        now = "and" if isinstance(test.op, ast.And) else "or"
        for joint in ("and" if now == "or" else "or", now):
            for size in range(1 if joint != now else 2, len(texts) + 1):
                for turn in combinations(range(len(texts)), size):
                    parts = [negate_condition(one) if place in turn else one for place, one in enumerate(texts)]
                    yield spot.source.replace(
                        test, f" {joint} ".join(parenthesize(one, RANKS[ast.Not]) for one in parts)
                    )


def _donors(spot: TemplateSite) -> list[str]:
    """Return the conditions to try at the statement, including those under which it fails or succeeds."""
    near = hazards(spot)
    return conditions(spot, [*near, *map(negate_condition, near)])


def _asked(spot: TemplateSite) -> list[ast.expr]:
    """Return the expressions that are used as conditions, and the returned or assigned expression if it may be a
    condition."""
    value = getattr(spot.statement, "value", None)
    kinds = ast.Compare | ast.BoolOp | ast.Name | ast.Call | ast.Constant | ast.UnaryOp
    returned = isinstance(spot.statement, ast.Return) and isinstance(value, kinds)
    bound = isinstance(spot.statement, ast.Assign) and isinstance(value, ast.Compare | ast.BoolOp)
    return list(dict.fromkeys([*spot.tests, *([value] if value is not None and (returned or bound) else [])]))


def _is_probed(spot: TemplateSite, test: ast.expr) -> bool:
    """Return whether the values that are observed when tests reach the statement are valid for this condition."""
    return test is getattr(spot.statement, "test", None)


def _replaced(spot: TemplateSite, test: ast.expr, options: list[Option]) -> Iterator[Draft]:
    old = spot.text(test)
    for text, weight in rank_options(options):
        if text != old:
            yield replace(spot.source.replace(test, text), weight=weight)
