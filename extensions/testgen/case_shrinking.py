"""Shrinking of cases to smaller ones with simpler values that still reach the same goals."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from extensions.testgen.module_exerciser import Case, CaseOutcome, ModuleExerciser
from extensions.testgen.usage_mining import free_names, replace_names

SHRUNK_AT_ONCE, MOST_SHRINKING_ROUNDS, MOST_NATURAL = 12, 40, 12
SIMPLE_NUMBERS = ("2", "3")
UNNATURAL, UNUSUAL, UNUSUAL_CHARACTERS = 15, 3, re.compile(r"[^\w\s'()\[\]{},.=:]|\\\\")
MINUS_ZERO = re.compile(r"-0(?![.\w])")
WORD_OR_SIGN = re.compile(r"[^\W_]+|\s+|[^\w\s]|_")
MOST_WORD_CUTS, LONGEST_WORD = 12, 15
"""Maximum number of places at which a word is left out of a text, and of characters in a word."""
LEAST_PARTS_KEPT = 2
"""Minimum number of arguments, elements and characters to keep, since empty values rarely reveal new faults."""


@dataclass(frozen=True, slots=True)
class ShrinkingGoal:
    """A case and its goals: the arcs that it must cover and the numbers of the mutants that it must kill."""

    seen: CaseOutcome
    arcs: frozenset[tuple[int, int]]
    mutants: frozenset[int]


@dataclass
class CaseShrinker:
    """Reduces cases to smaller ones with the same outcome (a return, or the same exception) and the same goals.

    `over` tells whether time is up. `natural` are the texts that a person would write; they stay as they are.
    """

    exercise: ModuleExerciser
    can_be_test: Callable[[CaseOutcome], bool]
    over: Callable[[], bool]
    natural: Collection[str] = ()

    def shrink(self, goals: Sequence[ShrinkingGoal]) -> list[CaseOutcome]:
        """Return for each goal the smallest case found that reaches it.

        All cases lose the statements that their calls do not need before any is shrunk further, since time may run out.
        """
        best = [one.seen for one in goals]
        for start in range(0, len(goals), SHRUNK_AT_ONCE):
            part = list(range(start, min(start + SHRUNK_AT_ONCE, len(goals))))
            units = [(place, _without_unneeded(best[place].case)) for place in part if not self.over()]
            for place, seen in self._reaching(units, goals, best):
                best[place] = seen
        for place in range(len(goals)):
            self._shrink_one(place, goals, best)
        return [self._with_fewest_assertions(seen, one.mutants) for seen, one in zip(best, goals, strict=True)]

    def _shrink_one(self, place: int, goals: Sequence[ShrinkingGoal], best: list[CaseOutcome]) -> None:
        for _ in range(MOST_SHRINKING_ROUNDS):
            options = list(smaller_cases(best[place].case, self.natural))
            for start in range(0, len(options), SHRUNK_AT_ONCE):
                if self.over():
                    return
                units = [(place, one) for one in options[start : start + SHRUNK_AT_ONCE]]
                if better := next(self._reaching(units, goals, best), None):
                    best[place] = better[1]
                    break
            else:
                return

    def _reaching(
        self, units: Sequence[tuple[int, Case]], goals: Sequence[ShrinkingGoal], best: Sequence[CaseOutcome]
    ) -> Iterator[tuple[int, CaseOutcome]]:
        """Yield those of the cases that are smaller than the best one so far and reach the goal of this number, too."""
        found = [
            (place, seen)
            for (place, _), seen in zip(units, self.exercise.observe([case for _, case in units]), strict=True)
            if (seen.kind, seen.error) == (best[place].kind, best[place].error)
            and goals[place].arcs <= seen.arcs
            and case_size(seen.case, self.natural) < case_size(best[place].case, self.natural)
            and self.can_be_test(seen)
        ]
        checked = self.exercise.check([(seen, sorted(goals[place].mutants)) for place, seen in found])
        for (place, seen), noticed in zip(found, checked, strict=True):
            if noticed.steady and noticed.killed >= goals[place].mutants:
                yield place, seen

    def _with_fewest_assertions(self, seen: CaseOutcome, mutants: frozenset[int]) -> CaseOutcome:
        """Return the case with as few of its assertions as kill the mutants; the first ones are preferred."""
        options = [one for each in seen.asserts if self.can_be_test(one := replace(seen, asserts=(each,)))]
        if len(options) < 2:
            return replace(seen, asserts=options[0].asserts) if options else seen
        checked = self.exercise.check([(one, sorted(mutants)) for one in options])
        steady = [(one, noticed.killed) for one, noticed in zip(options, checked, strict=True) if noticed.steady]
        kept: list[CaseOutcome] = []
        left = set(mutants)
        while not kept or left:
            best, killed = max(steady, key=lambda one: len(left & one[1]), default=(seen, frozenset[int]()))
            if best is seen or (kept and not left & killed):
                return seen
            kept.append(best)
            left -= killed
        return replace(seen, asserts=tuple(each for each in seen.asserts if any(each in one.asserts for one in kept)))


def case_size(case: Case, natural: Collection[str] = ()) -> tuple[int, int]:
    """Return a sort key for cases: the length, in which unusual characters and texts count more, then the sum of the
    character codes, so that simpler values come first."""
    text = "\n".join((*case.lines, case.call))
    constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    odd = sum(isinstance(value, str) and len(value) >= LEAST_PARTS_KEPT and value not in natural for value in constants)
    unusual = UNUSUAL * len(UNUSUAL_CHARACTERS.findall(text)) + UNNATURAL * odd
    return len(case.lines) * 4 + len(text) + unusual, sum(map(ord, text))


def smaller_cases(case: Case, natural: Collection[str] = ()) -> Iterator[Case]:
    """Yield smaller versions of a case, with the largest reductions first."""
    for lines in _fewer_lines(case.lines):
        yield Case(lines, case.call, _bound(case.watch, lines), case.about)
    for place, line in enumerate(case.lines):
        name, _, value = line.partition(" = ")
        rest = (*case.lines[:place], *case.lines[place + 1 :])
        if name.isidentifier() and (call := _inlined(case.call, name, value, rest)):
            yield Case(rest, call, tuple(one for one in case.watch if one != name), case.about)
    for text in _simpler(case.call, natural):
        yield Case(case.lines, text, case.watch, case.about)
    for place, line in enumerate(case.lines):
        for text in _simpler(line, natural):
            lines = (*case.lines[:place], text, *case.lines[place + 1 :])
            yield Case(lines, case.call, case.watch, case.about)


def _inlined(call: str, name: str, value: str, others: Sequence[str]) -> str:
    """Return the call with the value in the place of the name; "" unless that is the only use of the name."""
    try:
        elsewhere = any(_uses(ast.parse(code), name) for code in others)
        tree = replace_names(call, {name: ast.parse(value, mode="eval").body})
        is_only = not elsewhere and _uses(ast.parse(call), name) == 1 and not _uses(tree, name)
        return ast.unparse(tree) if is_only else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _uses(tree: ast.AST, name: str) -> int:
    return sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _without_unneeded(case: Case) -> Case:
    """Return the case without the statements that bind nothing for its call."""
    needed, kept = free_names(Case((), case.call)), list[str]()
    for line in reversed(case.lines):
        name, _, value = line.partition(" = ")
        if name in needed or (not name.isidentifier() and not _is_expression(line)):
            kept.insert(0, line)
            needed |= free_names(Case((), value or line))
    return Case(tuple(kept), case.call, _bound(case.watch, kept), case.about)


def _is_expression(line: str) -> bool:
    return isinstance(ast.parse(line).body[0], ast.Expr)


def _bound(watch: Sequence[str], lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in watch if any(line.startswith(f"{name} = ") for line in lines))


def _fewer_lines(lines: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the statements without a half, a quarter, … of them, and without one."""
    size = len(lines)
    found = dict[tuple[str, ...], None]()
    while size := (size + 1) // 2 if size > 1 else 0:
        found |= dict.fromkeys(lines[:start] + lines[start + size :] for start in range(0, len(lines), size))
    yield from found


def _simpler(text: str, natural: Collection[str]) -> Iterator[str]:
    """Yield versions of the statement with one value simplified, or with one argument or element removed."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    seen = {text}
    for node in ast.walk(tree):
        for new in _simpler_nodes(node, natural):
            changed = _replaced(text, node, new) if isinstance(new, str) else _without(tree, node, new)
            if changed and changed not in seen and not MINUS_ZERO.search(changed) and not _repeats_key(changed):
                seen.add(changed)
                yield changed


def _repeats_key(text: str) -> bool:
    """Return whether a dictionary in the code has a key twice."""
    dicts = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Dict))
    keys = ([ast.dump(key) for key in node.keys if key is not None] for node in dicts)
    return any(len(one) > len(set(one)) for one in keys)


def _simpler_nodes(node: ast.AST, natural: Collection[str]) -> Iterator[str | int]:
    """Yield simpler source code for a value, or indices of arguments or elements that can be removed."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "iter":
        yield ast.unparse(node.args[0])
    elif isinstance(node, ast.Call):
        first = 0 if len(node.args) > LEAST_PARTS_KEPT else len(node.args)
        yield from range(first, len(node.args) + len(node.keywords))
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        yield from range(len(node.elts)) if len(node.elts) > LEAST_PARTS_KEPT else ()
    elif isinstance(node, ast.Dict):
        yield from range(len(node.keys)) if len(node.keys) > LEAST_PARTS_KEPT else ()
    elif isinstance(node, ast.Constant):
        yield from _simpler_constants(node.value, natural)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        yield from (
            *SIMPLE_NUMBERS,
            *(f"-{one}" for one in _simpler_constants(node.operand.value, natural) if one[0] not in "-0"),
        )
    elif isinstance(node, ast.UnaryOp | ast.BinOp | ast.GeneratorExp):
        yield from SIMPLE_NUMBERS


def _simpler_constants(value: object, natural: Collection[str]) -> Iterator[str]:
    if value is None or value is ...:
        return
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield from (repr(one) for one in (2, 3, 10, 1, 0, 100, 1000, value // 2, value - 1) if one < value)
    elif isinstance(value, float):
        yield from (repr(one) for one in (1.5, 2.0, 0.5, float(round(value))) if len(repr(one)) <= len(repr(value)))
    elif isinstance(value, bytes):
        options = [value[: len(value) // 2], value[len(value) // 2 :], value[:-1], value[1:]]
        yield from (repr(one) for one in options if LEAST_PARTS_KEPT <= len(one) < len(value))
    elif isinstance(value, str) and value not in natural:
        yield from map(repr, sorted(natural, key=lambda text: abs(len(text) - len(value)))[:MOST_NATURAL])
        yield from (repr(one) for one in _shorter_texts(value) if LEAST_PARTS_KEPT <= len(one) < len(value))
        if len(value) == LEAST_PARTS_KEPT and not value.isalnum():
            yield "'ab'"


def _shorter_texts(value: str) -> Iterator[str]:
    """Yield the text without some of its words and signs; words stay whole, since a person would write them."""
    words = WORD_OR_SIGN.findall(value)
    half = len(words) // 2
    yield from ("".join(words[:half]), "".join(words[half:]))
    for place in range(len(words) - 1, max(-1, len(words) - 1 - MOST_WORD_CUTS), -1):
        yield "".join((*words[:place], *words[place + 1 :]))
    if max(map(len, words), default=0) > LONGEST_WORD:
        yield from (value[: len(value) // 2], value[len(value) // 2 :])


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
