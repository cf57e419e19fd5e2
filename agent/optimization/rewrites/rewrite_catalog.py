"""Ways to make a function cheaper without a model: edits of its text that may keep its meaning, the best bets first.

Each family looks for one habit that costs more than it should (Fowler's substitutions of an algorithm, so to say). What
they propose is a guess in the corners (items without a hash, NaN, objects that lie about equality): whoever uses one
proves it by running both. Layout and comments round an edit stay as they are.
"""

from __future__ import annotations

import ast
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice, zip_longest

from aci.target import Target
from aci.target import functions as functions_of
from agent.moves import (
    rewrite_concatenation,
    rewrite_copies,
    rewrite_counting,
    rewrite_grown,
    rewrite_invariant,
    rewrite_join,
    rewrite_membership,
    rewrite_prefix,
    rewrite_queue,
    rewrite_recursion,
    rewrite_sorting,
)
from agent.moves.rewrite_scope import Scope
from agent.repair.source import Definition, Draft, Source

Family = Callable[[Scope], Iterator[Draft | None]]
FAMILIES: tuple[tuple[float, Family], ...] = (
    (0.95, rewrite_recursion.memoised),
    (0.95, rewrite_recursion.remembered),
    (0.93, rewrite_join.joined),
    (0.92, rewrite_join.growing),
    (0.91, rewrite_counting.matched),
    (0.9, rewrite_membership.fixed),
    (0.9, rewrite_grown.grown),
    (0.89, rewrite_membership.sliced),
    (0.9, rewrite_grown.keyed),
    (0.9, rewrite_counting.counted),
    (0.88, rewrite_counting.placed),
    (0.86, rewrite_join.combined),
    (0.85, rewrite_prefix.running),
    (0.84, rewrite_queue.heaps),
    (0.84, rewrite_queue.least_first),
    (0.83, rewrite_sorting.inserted),
    (0.82, rewrite_queue.deques),
    (0.82, rewrite_queue.sliced),
    (0.8, rewrite_queue.reversed_at_end),
    (0.78, rewrite_invariant.grouped),
    (0.77, rewrite_invariant.hoisted),
    (0.75, rewrite_invariant.compiled),
    (0.74, rewrite_invariant.each_inner),
    (0.72, rewrite_concatenation.appended),
    (0.71, rewrite_concatenation.prepended),
    (0.7, rewrite_membership.searching),
    (0.65, rewrite_concatenation.tupled),
    (0.64, rewrite_concatenation.summed),
    (0.6, rewrite_sorting.ends),
    (0.6, rewrite_sorting.named_ends),
    (0.6, rewrite_sorting.in_place),
    (0.55, rewrite_sorting.slices),
    (0.5, rewrite_copies.looked_up),
    (0.45, rewrite_membership.simpler),
    (0.4, rewrite_concatenation.joined),
    (0.6, rewrite_copies.summed),
    (0.35, rewrite_copies.iterated),
    (0.3, rewrite_copies.handed),
    (0.2, rewrite_copies.growing),
)
"""How much each family promises: what lowers the growth before what saves a constant share."""
AFTER = 0.97
"""What a family's second and third proposal for a function promise, against the one before."""
STEPS = 3
MOST = 60
MOST_LOOKED_AT = 40
"""How many texts are taken up again to look for a further step."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The whole file anew, and what was done in words."""

    what: str
    data: bytes

    @property
    def steps(self) -> list[str]:
        """What was done, step by step."""
        return self.what.split("; ")


def rewrites(data: bytes, target: Target) -> list[Rewrite]:
    """Distinct rewrites of the target in the file's bytes, each of up to three steps, the most promising first.

    Single steps stand between combinations of them, so that one bad step spoils not all, and careful ones between plain
    ones, which are shorter and keep fewer corners. None for what is no UTF-8
    Python, and for functions that are async, generators, or bind names outside themselves: when they do what is
    part of what they do. Raises UsageError for a target that the file does not have.
    """
    try:
        target.find(data.decode("utf-8"))
    except (SyntaxError, ValueError):
        return []
    lists = [found for careful in (True, False) for found in _search(data, target, careful)]
    mixed = {one.data: one for group in zip_longest(*lists) for one in group if one is not None}
    return list(islice(mixed.values(), MOST))


def _search(data: bytes, target: Target, careful: bool) -> tuple[list[Rewrite], list[Rewrite]]:
    """(combinations of steps, single steps), the most promising first."""
    singles: list[tuple[float, int, Rewrite]] = []
    several: list[tuple[float, int, Rewrite]] = []
    order, seen, done = count(), {data}, set[frozenset[str]]()
    queue: list[tuple[float, int, int, float, Rewrite]] = [(-1.0, 0, 0, 1.0, Rewrite("", data))]
    looked = 0
    while queue and looked < MOST_LOOKED_AT and len(seen) < 4 * MOST:
        _, _, steps, doubt, base = heapq.heappop(queue)
        looked += 1
        for promise, what, text in _steps(base.data, target, careful):
            found = Rewrite(f"{base.what}; {what}" if base.what else what, text)
            if text in seen or frozenset(found.steps) in done:
                continue
            seen.add(text)
            done.add(frozenset(found.steps))
            left = doubt * (1 - promise)
            number = next(order)
            (several if steps else singles).append((left, number, found))
            if steps + 1 < STEPS:
                heapq.heappush(queue, (left, number, steps + 1, left, found))
    return _sorted(several), _sorted(singles)


def _sorted(found: list[tuple[float, int, Rewrite]]) -> list[Rewrite]:
    return [rewrite for _, _, rewrite in sorted(found, key=lambda one: one[:2])]


def _steps(data: bytes, target: Target, careful: bool) -> Iterator[tuple[float, str, bytes]]:
    """(promise, words, text) of each single rewrite that leaves a file as it should be."""
    source = Source(target.path, data)
    found = [node for name, node in functions_of(source.tree) if name == target.name]
    if not found or not _suits(found[-1]):
        return
    scope = Scope(source, found[-1], careful)
    for promise, family in FAMILIES:
        for draft in family(scope):
            text = _applied(data, draft) if draft is not None else data
            if draft is not None and text != data and _sound(scope, text, target):
                yield promise, draft.what, text
                promise *= AFTER


def _applied(data: bytes, draft: Draft) -> bytes:
    """The bytes with the edits made; insertions at one place in the order in which they are said."""
    numbered = sorted(enumerate(draft.edits), key=lambda one: (one[1][0], one[1][1], one[0]), reverse=True)
    limit = len(data)
    for _, (start, end, text) in numbered:
        if end > limit:
            return b""
        data, limit = data[:start] + text.encode() + data[end:], start
    return data


def _sound(scope: Scope, text: bytes, target: Target) -> bool:
    """Whether a text parses, and differs in the body of the one function and the imports alone."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    before = scope.function
    after = [node for name, node in functions_of(tree) if name == target.name][-1]
    same = ast.dump(before.args) == ast.dump(after.args) and ast.get_docstring(before) == ast.get_docstring(after)
    around = _around(scope.source.data, before) == _around(text, after)
    return same and around and ast.dump(before) != ast.dump(after)


def _around(data: bytes, function: Definition) -> list[bytes]:
    """The lines of a file beside imports, the lines of one function, and empty ones."""
    lines = data.splitlines()
    rest = [*lines[: function.lineno - 1], *lines[function.end_lineno :]]
    return [line for line in rest if line.strip() and not line.startswith((b"import ", b"from "))]


def _suits(function: Definition) -> bool:
    """Whether a function is a plain one, whose work is done when it returns."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom | ast.Await | ast.Global | ast.Nonlocal):
            return False
        if not isinstance(node, Definition | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return isinstance(function, ast.FunctionDef)
