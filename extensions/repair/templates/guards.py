"""Templates that add a condition before a statement, or wrap the statement in a condition."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import TypeVar

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
from extensions.repair.analysis.name_usage import interleave, unique
from extensions.repair.candidates.candidate_expressions import (
    conditions,
    is_operator,
    names,
    returns_value,
    unbound_names_at,
)
from extensions.repair.candidates.observed_conditions import (
    Option,
    negated,
    probed_values,
    rank_options,
    values_of_false,
)
from extensions.repair.candidates.runtime_hazards import hazards, negate_condition
from extensions.repair.candidates.template_site import Drafts, TemplateSite

A = TypeVar("A")
B = TypeVar("B")
MOST_RETURNS, MOST_RAISES = 10, 8
MOST_ENDS, MOST_ACTIONS, MOST_CONDITIONS = 3, 12, 60
ORDERED = ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE
ADDS = {"list": "append", "set": "add", "deque": "append"}
EMPTY = ("[]", "{}", "0", "''", "1", "()", "set()")


def guard(spot: TemplateSite) -> Drafts:
    """Insert `if d: return r` before the statement; in a loop, also `if d: continue` or `if d: break`."""
    if not in_function(spot.source, spot.statement):
        return
    ends = ["continue", "break"] if in_loop(spot.source, spot.statement) else []
    values = ["return NotImplemented"] if is_operator(spot) else []
    values += [f"return {value}" for value in spot.donors.returns[:MOST_RETURNS]]
    yield from _guarded(spot, [*ends, *(values if returns_value(spot) else ["return"])])


def guard_with_action(spot: TemplateSite) -> Drafts:
    """Insert a guard of two statements: `if d: s; return r`, in a loop also with `continue` or `break`, where `s` is
    another statement of the function or adds a value to a container."""
    if not in_function(spot.source, spot.statement):
        return
    ends = ["continue", "break"] if in_loop(spot.source, spot.statement) else []
    ends += [f"return {value}" for value in spot.donors.returns[:MOST_ENDS]] if returns_value(spot) else ["return"]
    added = [
        f"{name}.{ADDS[kind]}({value})"
        for name, kind in spot.donors.containers.items()
        for value in names(spot)[:MOST_RETURNS]
        if kind in ADDS and value != name
    ]
    own = spot.text(spot.statement)
    actions = [text for text in unique(interleave([iter(spot.donors.simple), iter(added)])) if text != own]
    bodies = [f"{action}\0{end}" for action, end in _diagonal(actions[:MOST_ACTIONS], ends)]
    firing = _firing(spot, unique(interleave([_turned(spot), iter(conditions(spot, hazards(spot)))])))
    for (condition, weight), body in _diagonal(firing[:MOST_CONDITIONS], bodies):
        draft = spot.source.insert(spot.statement, [f"if {condition}:", *indented(spot.indent, body.split("\0"))])
        yield draft and replace(draft, weight=weight)


def _turned(spot: TemplateSite) -> Iterator[str]:
    """Yield the comparisons of the function with another operator, nearest first: `a > b` → `a == b`."""
    known = spot.donors.visible
    nodes = [node for node in spot.donors.nodes if isinstance(node, ast.Compare) and len(node.ops) == 1]
    for node in sorted(nodes, key=lambda node: abs(node.lineno - spot.statement.lineno)):
        read = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        if isinstance(node.ops[0], ORDERED) and read & spot.donors.local <= known:
            left, right = spot.text(node.left), spot.text(node.comparators[0])
            yield from (f"{left} {sign} {right}" for sign in ("==", "<", ">", "<=", ">=", "!="))


def refuse(spot: TemplateSite) -> Drafts:
    """Insert `if d: raise E(...)` before the statement, with an exception that the file raises elsewhere."""
    if in_function(spot.source, spot.statement):
        yield from _guarded(spot, spot.refusals[:MOST_RAISES])


def only_if(spot: TemplateSite) -> Drafts:
    """Put the statement, or the statement and the rest of its block, into `if d:`."""
    found, place = block(spot.source, spot.statement)
    if not found or not is_movable(spot.statement) or not in_function(spot.source, spot.statement):
        return
    for condition, weight in _firing(spot, _safe_first(spot), only=True):
        for last in dict.fromkeys([spot.statement, found[-1]]):
            lines = unindented_lines(spot.source, spot.statement, last)
            if lines is None or not all(is_movable(one) for one in found[place:]):
                continue
            edit = replacement_edit(
                spot.source, spot.statement, last, [f"if {condition}:", *indented(spot.indent, lines)]
            )
            if edit is not None:
                rest = "" if last is spot.statement else " and what follows"
                yield Draft(f"run `{brief(spot.text(spot.statement))}`{rest} only if `{condition}`", (edit,), weight)


def for_each(spot: TemplateSite) -> Drafts:
    """Put the statement into a loop: `add(row)` → `for row in rows: add(row)`, if `row` is undefined."""
    lines = unindented_lines(spot.source, spot.statement, spot.statement)
    if lines is None or not in_function(spot.source, spot.statement) or not is_movable(spot.statement):
        return
    read = {node.id for node in ast.walk(spot.statement) if isinstance(node, ast.Name)}
    missing = [name for name in unbound_names_at(spot).missing if name in read]
    heads = [", ".join(missing), *([] if len(missing) != 2 else [", ".join(reversed(missing))])] if missing else []
    over = unique([*unbound_names_at(spot).idle, *spot.donors.sized, *spot.donors.atoms])
    for head in heads:
        for text in [*over, *(f"{one}.items()" for one in over), *(f"enumerate({one})" for one in over)]:
            new = [f"for {head} in {text}:", *indented(spot.indent, lines)]
            edit = replacement_edit(spot.source, spot.statement, spot.statement, new)
            if edit is not None:
                yield Draft(f"run `{brief(spot.text(spot.statement))}` for each of `{text}`", (edit,))


def default(spot: TemplateSite) -> Drafts:
    """Insert `if x is None: x = []` or `if n < 0: n = 0` before the statement, for names that it reads."""
    if not in_function(spot.source, spot.statement):
        return
    bound = {node.id for node in spot.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    names = [name for name in spot.donors.names if name in bound and name not in ("self", "cls")]
    streams = []
    for name in names:
        others = [other for other in spot.donors.names if other not in (name, "self", "cls")]
        tests = [f"{name} is None", f"not {name}", f"{name} < 0"]
        streams.append(_defaults(spot, name, _diagonal(tests, [*EMPTY, *others])))
        clamps = [(f"{name} {sign} {other}", other) for other in others for sign in (">", "<")]
        streams.append(_defaults(spot, name, iter(clamps)))
    yield from interleave(streams)


def _defaults(spot: TemplateSite, name: str, pairs: Iterator[tuple[str, str]]) -> Drafts:
    for test, value in pairs:
        yield spot.source.insert(spot.statement, [f"if {test}:", f"{spot.indent}{name} = {value}"])


def _guarded(spot: TemplateSite, ends: list[str]) -> Drafts:
    """Yield guards for the combinations of conditions and final statements (`ends`), starting with the first of
    each."""
    firing = _firing(spot, conditions(spot, hazards(spot)))
    for (condition, weight), end in _diagonal(firing, ends):
        draft = spot.source.insert(spot.statement, [f"if {condition}:", f"{spot.indent}{end}"])
        yield draft and replace(draft, weight=weight)


def _firing(spot: TemplateSite, texts: list[str], only: bool = False) -> list[tuple[str, float]]:
    """Rank conditions by their observed values: a useful guard is true at least once in a failing test or, with `only`,
    false at least once."""
    truths = probed_values(spot, texts)
    options = []
    for text in texts:
        there = truths.get(text)
        options.append(Option(text, values_of_false(there), negated(there) if only else there))
    return list(rank_options(options))


def _safe_first(spot: TemplateSite) -> list[str]:
    found = [negate_condition(one) for one in hazards(spot)]
    return conditions(spot, found)


def _diagonal(firsts: list[A], seconds: list[B]) -> Iterator[tuple[A, B]]:
    """Yield all pairs, ordered by the sum of their positions."""
    for total in count():
        if total > len(firsts) + len(seconds):
            return
        for second in range(max(0, total - len(firsts) + 1), min(total + 1, len(seconds))):
            yield firsts[total - second], seconds[second]
