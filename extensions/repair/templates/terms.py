"""Templates that extend an expression by a term, a modulus, a bound, a power, or a fallback for an empty value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import ATOM, Draft, parenthesize, rank
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.analysis.value_types import INDEXED, NUMBER, Kinds
from extensions.repair.candidates.template_site import Drafts, TemplateSite

SUM, PRODUCT, OR, TEST = rank("a + b"), rank("a * b"), rank("a or b"), rank("a or b")
NUMERIC = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp
AUGMENTED: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
TERMS = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.ListComp
MOST_CONDITIONS, MOST_ELSE = 12, 6
USUAL_MODULI = ("2", "10", "26")
"""Moduli that are tried even if the function does not contain them: parity, decimal digits, letters."""


def term(spot: TemplateSite) -> Drafts:
    """Add a term or factor: `e` → `e + t`, `e - t`, `e * t`, `t + e`, where `t` is a name or short expression of a
    similar type."""
    nodes = [node for node in spot.values if isinstance(node, TERMS) and _adds(spot.scope.kinds(node))]
    donors = {id(node): spot.atoms(node) for node in nodes}
    for place in range(max((len(one) for one in donors.values()), default=0)):
        for node in nodes:
            if place < len(donors[id(node)]):
                for text in _sums(spot, node, donors[id(node)][place]):
                    yield spot.source.replace(node, text)


def _sums(spot: TemplateSite, node: ast.expr, donor: str) -> Iterator[str]:
    text, kinds, others = spot.text(node), spot.scope.kinds(node), spot.scope.of(donor)
    if not _adds(others):
        return
    if (not kinds or kinds & NUMBER) and (not others or others & NUMBER):
        yield f"{parenthesize(text, SUM)} - {parenthesize(donor, SUM + 1)}"
    if not kinds or not others or kinds & others:
        yield f"{parenthesize(text, SUM)} + {parenthesize(donor, SUM + 1)}"
        yield f"{parenthesize(donor, SUM)} + {parenthesize(text, SUM + 1)}"
    if kinds & INDEXED and "sequence" in kinds and others != kinds:
        yield f"{parenthesize(text, SUM)} + [{donor}]"
        yield f"[{donor}] + {parenthesize(text, SUM + 1)}"
    if (not kinds or kinds & (NUMBER | INDEXED)) and (not others or others & NUMBER):
        yield f"{parenthesize(text, PRODUCT)} * {parenthesize(donor, PRODUCT + 1)}"


def _adds(kinds: Kinds) -> bool:
    return not kinds or bool(kinds & (NUMBER | INDEXED))


def remainder(spot: TemplateSite) -> Drafts:
    """Take a number modulo another one: `a + b` → `(a + b) % MOD`, `i + k` → `(i + k) % len(items)`, `x += y` → `x = (x
    + y) % n`."""
    moduli = [f"len({name})" for name in spot.donors.sized]
    moduli = unique([*spot.donors.numbers, *moduli, *_numeric_names(spot), *USUAL_MODULI])
    streams = [_remainders(spot, node, moduli) for node in _results_first(spot)]
    if isinstance(spot.statement, ast.AugAssign):
        streams.insert(0, _augmented_remainders(spot, spot.statement, moduli))
    yield from interleave(streams)


def _remainders(spot: TemplateSite, node: ast.expr, moduli: list[str]) -> Drafts:
    text = parenthesize(spot.text(node), PRODUCT)
    for modulus in moduli:
        if modulus != text:
            yield spot.source.replace(node, f"{text} % {modulus}")


def _augmented_remainders(spot: TemplateSite, statement: ast.AugAssign, moduli: list[str]) -> Drafts:
    sign = AUGMENTED.get(type(statement.op))
    if sign is None or not _is_number(spot, statement.value):
        return
    target, least = spot.text(statement.target), rank(f"a {sign} b")
    total = f"{target} {sign} {parenthesize(spot.text(statement.value), least + 1)}"
    for modulus in moduli:
        new = f"{target} = {parenthesize(total, PRODUCT)} % {modulus}"
        yield Draft(f"use `{new}` instead", ((*spot.source.span(statement), new),))


def scale(spot: TemplateSite) -> Drafts:
    """Combine a number with a constant in scope: `e` → `e * RATE`, `e // 60`, `e + OFFSET`, `OFFSET - e`."""
    yield from interleave(_scaled(spot, node) for node in _results_first(spot))


def _scaled(spot: TemplateSite, node: ast.expr) -> Drafts:
    text = spot.text(node)
    product, total = parenthesize(text, PRODUCT), parenthesize(text, SUM)
    for one in spot.donors.numbers:
        if one != text:
            yield spot.source.replace(node, f"{product} * {one}")
            yield spot.source.replace(node, f"{total} + {one}")
            yield spot.source.replace(node, f"{total} - {one}")
            yield spot.source.replace(node, f"{product} // {one}")
            yield spot.source.replace(node, f"{product} / {one}")
            yield spot.source.replace(node, f"{one} - {parenthesize(text, PRODUCT)}")


def _results_first(spot: TemplateSite) -> list[ast.expr]:
    """Return the values of the statement that may be numbers, calculated ones first."""
    nodes = [node for node in spot.values if isinstance(node, NUMERIC) and _is_number(spot, node)]
    return sorted(nodes, key=lambda node: not isinstance(node, ast.BinOp))


def _is_number(spot: TemplateSite, node: ast.expr) -> bool:
    kinds = spot.scope.kinds(node)
    return not kinds or bool(kinds & NUMBER)


def _numeric_names(spot: TemplateSite) -> list[str]:
    return [name for name in spot.donors.plain if spot.scope.of(name) & NUMBER]


def power(spot: TemplateSite) -> Drafts:
    """Apply a power, factor or negation, or add a missing level of nesting: `e` → `e ** 2`, `-e`, `e * 2`, `e // 2`, `1
    - e`; `e` → `[e]`, `(e,)`."""
    kinds = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.List | ast.Dict | ast.Tuple
    yield from interleave(_powers(spot, node) for node in spot.values if isinstance(node, kinds))


def _powers(spot: TemplateSite, node: ast.expr) -> Drafts:
    text, kinds = spot.text(node), spot.scope.kinds(node)
    if not kinds or kinds & NUMBER:
        part = parenthesize(text, PRODUCT)
        for new in (
            f"{parenthesize(text, ATOM)} ** 2",
            f"-{part}",
            f"{part} * 2",
            f"{part} // 2",
            f"{part} / 2",
            f"1 - {part}",
        ):
            yield spot.source.replace(node, new)
    if not isinstance(node, ast.Tuple) or rank(text) == ATOM:
        yield spot.source.replace(node, f"[{text}]")
        yield spot.source.replace(node, f"({text},)")


def extreme(spot: TemplateSite) -> Drafts:
    """Add a bound: `e` → `max(e, t)`, `min(e, t)`; for `a = e`, the first `t` that is tried is `a` itself."""
    statement = spot.statement
    first: list[tuple[ast.expr, list[str]]] = []
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name | ast.Subscript | ast.Attribute):
        first.append((statement.value, [spot.text(statement.targets[0]), "0", "1"]))
    kinds = ast.Name | ast.BinOp | ast.Call | ast.Attribute | ast.Subscript
    rest = [(node, [*spot.names(node), "0", "1"]) for node in spot.values if isinstance(node, kinds)]
    for node, others in [*first, *rest]:
        if _adds(spot.scope.kinds(node)):
            for other in others:
                if other != spot.text(node) and spot.scope.fits(other, spot.scope.kinds(node)):
                    for call in ("max", "min"):
                        yield spot.source.replace(node, f"{call}({other}, {spot.text(node)})")


def fallback(spot: TemplateSite) -> Drafts:
    """Add a fallback for an empty value or None: `e` → `e or t`."""
    for node in spot.values:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            text, kinds = spot.text(node), spot.scope.kinds(node)
            names = [one for one in spot.atoms(node)[:MOST_ELSE] if spot.scope.fits(one, kinds - {"none"})]
            for other in unique(["[]", "{}", "()", "''", "0", "None", "1", *names]):
                if other != text and spot.scope.fits(other, kinds - {"none"}):
                    yield spot.source.replace(node, f"{text} or {other}")


def conditional(spot: TemplateSite) -> Drafts:
    """Make a value conditional: `e` → `e if c else t`, `t if c else e`; conditions that test the names in `e` for None
    or emptiness come first."""
    for node in spot.values:
        if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp | ast.Constant):
            continue
        text = parenthesize(spot.text(node), TEST)
        made_of = unique(one.id for one in ast.walk(node) if isinstance(one, ast.Name) and one.id in spot.names(node))
        tests = [test for name in made_of for test in (f"{name} is not None", name)]
        others = unique(["None", "[]", "0", "''", "False", "True", *spot.atoms(node)[:MOST_ELSE]])
        kinds = spot.scope.kinds(node)
        others = [one for one in others if one != text and (one == "None" or spot.scope.fits(one, kinds - {"none"}))]
        for test in unique([*tests, *spot.donors.conditions[:MOST_CONDITIONS]]):
            for other in others:
                yield spot.source.replace(
                    node, f"{text} if {parenthesize(test, TEST)} else {parenthesize(other, TEST)}"
                )
                if test not in tests:
                    yield spot.source.replace(
                        node, f"{parenthesize(other, TEST)} if {parenthesize(test, TEST)} else {text}"
                    )
