"""Shrinking of cases to smaller ones with simpler values that still reach the same goals."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from extensions.testgen.module_exerciser import Case, CaseOutcome, ModuleExerciser

AT_ONCE, ROUNDS = 12, 40
PLAIN = ("2", "3")
FEW = 2
"""Minimum number of arguments, elements and characters to keep, since empty values rarely reveal new faults."""


@dataclass(frozen=True, slots=True)
class ShrinkingGoal:
    """A case and its goals: the arcs that it must cover and the numbers of the mutants that it must kill."""

    seen: CaseOutcome
    arcs: frozenset[tuple[int, int]]
    mutants: frozenset[int]


def shrink_case(
    exercise: ModuleExerciser,
    wanted: ShrinkingGoal,
    can_be_test: Callable[[CaseOutcome], bool],
    over: Callable[[], bool],
) -> CaseOutcome:
    """Return the smallest case found that reaches all goals with the same outcome: a return, or the same exception."""
    best = wanted.seen
    for _ in range(ROUNDS):
        better = None
        for options in _batches(list(smaller_cases(best.case))):
            if over():
                return best
            if better := _first_that_does(exercise, options, best, wanted, can_be_test):
                break
        if better is None:
            return best
        best = better
    return best


def _first_that_does(
    exercise: ModuleExerciser,
    options: Sequence[Case],
    best: CaseOutcome,
    wanted: ShrinkingGoal,
    can_be_test: Callable[[CaseOutcome], bool],
) -> CaseOutcome | None:
    found = [
        seen
        for seen in exercise.observe(options)
        if (seen.kind, seen.error) == (best.kind, best.error)
        and wanted.arcs <= seen.arcs
        and case_size(seen.case) < case_size(best.case)
        and can_be_test(seen)
    ]
    checked = exercise.check([(seen, sorted(wanted.mutants)) for seen in found])
    for seen, noticed in zip(found, checked, strict=True):
        if noticed.steady and noticed.killed >= wanted.mutants:
            return seen
    return None


def _batches(options: list[Case]) -> Iterator[list[Case]]:
    for start in range(0, len(options), AT_ONCE):
        yield options[start : start + AT_ONCE]


def case_size(case: Case) -> tuple[int, int]:
    """Return a sort key for cases: the length, then the sum of the character codes, so that simpler values come
    first."""
    text = "\n".join((*case.lines, case.call))
    return len(case.lines) * 4 + len(text), sum(map(ord, text))


def smaller_cases(case: Case) -> Iterator[Case]:
    """Yield smaller versions of a case, with the largest reductions first."""
    for place in range(len(case.lines) - 1, -1, -1):
        name = case.lines[place].partition(" = ")[0]
        lines = (*case.lines[:place], *case.lines[place + 1 :])
        yield Case(lines, case.call, tuple(one for one in case.watch if one != name), case.about)
    for place, line in enumerate(case.lines):
        name, mark, value = line.partition(" = ")
        rest = "\n".join((*case.lines[:place], *case.lines[place + 1 :], case.call))
        if mark and name.isidentifier() and len(re.findall(rf"\b{name}\b", rest)) == 1:
            text = re.sub(rf"\b{name}\b", lambda _, value=value: value, case.call)  # type: ignore[misc]
            watch = tuple(one for one in case.watch if one != name)
            yield Case((*case.lines[:place], *case.lines[place + 1 :]), text, watch, case.about)
    for text in _simpler(case.call):
        yield Case(case.lines, text, case.watch, case.about)
    for place, line in enumerate(case.lines):
        for text in _simpler(line):
            lines = (*case.lines[:place], text, *case.lines[place + 1 :])
            yield Case(lines, case.call, case.watch, case.about)


def _simpler(text: str) -> Iterator[str]:
    """Yield versions of the statement with one value simplified, or with one argument or element removed."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    seen = {text}
    for node in ast.walk(tree):
        for new in _simpler_nodes(node):
            old = ast.dump(node)
            changed = _replaced(text, node, new) if isinstance(new, str) else _without(tree, node, new)
            if changed and changed not in seen and old:
                seen.add(changed)
                yield changed


def _simpler_nodes(node: ast.AST) -> Iterator[str | int]:
    """Yield simpler source code for a value, or indices of arguments or elements that can be removed."""
    if isinstance(node, ast.Call):
        first = 0 if len(node.args) > FEW else len(node.args)
        yield from range(first, len(node.args) + len(node.keywords))
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        yield from range(len(node.elts)) if len(node.elts) > FEW else ()
    elif isinstance(node, ast.Dict):
        yield from range(len(node.keys)) if len(node.keys) > FEW else ()
    elif isinstance(node, ast.Constant):
        yield from _simpler_constants(node.value)
    elif isinstance(node, ast.UnaryOp | ast.BinOp | ast.GeneratorExp):
        yield from PLAIN


def _simpler_constants(value: object) -> Iterator[str]:
    if value is None or value is ...:
        return
    if isinstance(value, bool):
        yield repr(int(value))
    elif isinstance(value, int):
        yield from (repr(one) for one in (2, 3, 10, 100, 1000, value // 2, value - 1) if FEW <= one < value)
    elif isinstance(value, float):
        yield from (repr(one) for one in (1.5, 2.0, 0.5, float(round(value))) if len(repr(one)) <= len(repr(value)))
    elif isinstance(value, str | bytes):
        options = [value[: len(value) // 2], value[len(value) // 2 :], value[:-1], value[1:]]
        yield from (repr(one) for one in options if FEW <= len(one) < len(value))
        if isinstance(value, str) and len(value) == FEW and not value.isalnum():
            yield "'ab'"


def _replaced(text: str, node: ast.AST, new: str) -> str:
    """Return the source code with one of its nodes replaced; "" if the code has several lines."""
    if not isinstance(node, ast.expr) or "\n" in text or node.end_col_offset is None:
        return ""
    data = text.encode()
    return (data[: node.col_offset] + new.encode() + data[node.end_col_offset :]).decode("utf-8", "replace")


def _without(tree: ast.Module, node: ast.AST, place: int) -> str:
    """Return the source code without one argument, element or pair."""
    fields: list[list[ast.AST]]
    if isinstance(node, ast.Call):
        fields = [node.args, node.keywords]  # type: ignore[list-item]
    elif isinstance(node, ast.Dict):
        fields = [node.keys, node.values]  # type: ignore[list-item]
    else:
        fields = [node.elts]  # type: ignore[attr-defined]
    kept = [list(one) for one in fields]
    if isinstance(node, ast.Dict):
        for one in fields:
            del one[place]
    else:
        holder = fields[0] if place < len(fields[0]) else fields[1]
        del holder[place - (0 if holder is fields[0] else len(fields[0]))]
    text = "" if isinstance(node, ast.Set) and not node.elts else ast.unparse(tree)
    for one, old in zip(fields, kept, strict=True):
        one[:] = old
    return text
