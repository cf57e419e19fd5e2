"""Catalogue of performance rewrites that need no model, most promising first.

Each family looks for one inefficient pattern. The idea is that of Fowler's refactoring "Substitute Algorithm". A
rewrite may be wrong in corner cases such as unhashable items, NaN or an inconsistent `__eq__`, so callers run both
versions to check it. It contains no fallback for such cases: a maintainer would not want one. Layout and comments
around an edit are preserved.
"""

from __future__ import annotations

import ast
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice, zip_longest

from aci.runtime.target_function import Target
from aci.runtime.target_function import iter_functions as functions_of
from extensions.experiment.source.source_file import Definition, Draft, Source
from extensions.optimize.rewrites import (
    concatenation,
    hash_join,
    incremental_index,
    loop_invariants,
    memoization,
    queue_structures,
    repeated_counting,
    set_membership,
)
from extensions.optimize.rewrites.function_scope import Scope

Family = Callable[[Scope], Iterator[Draft | None]]
FAMILIES: tuple[tuple[float, Family], ...] = (
    (0.95, memoization.memoize_function),
    (0.95, memoization.memoize_local_function),
    (0.93, hash_join.index_rows),
    (0.92, hash_join.maintain_index),
    (0.91, repeated_counting.count_keys),
    (0.9, set_membership.build_sets),
    (0.9, incremental_index.maintain_set),
    (0.89, set_membership.index_slices),
    (0.9, incremental_index.maintain_key_set),
    (0.9, repeated_counting.count_items),
    (0.88, repeated_counting.index_positions),
    (0.87, repeated_counting.count_remaining),
    (0.86, hash_join.pair_equal_keys),
    (0.82, queue_structures.use_deques),
    (0.82, queue_structures.use_deques_for_parameters),
    (0.78, loop_invariants.hoist_statements),
    (0.77, loop_invariants.hoist_expressions),
    (0.72, concatenation.grow_in_place),
    (0.71, concatenation.append_and_reverse),
    (0.7, set_membership.use_membership_tests),
    (0.7, set_membership.inline_searches),
    (0.65, concatenation.collect_tuples),
    (0.64, concatenation.flatten_sum),
    (0.4, concatenation.join_strings),
)
"""The families of rewrites, each with its estimated probability of success."""
AFTER = 0.97
"""Factor applied to the estimated probability of success for each further rewrite by the same family."""
STEPS = 3
MOST = 60
MOST_LOOKED_AT = 40
"""Maximum number of rewritten files that are searched for further steps."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The whole rewritten file, and a description of the rewrite."""

    what: str
    data: bytes

    @property
    def steps(self) -> list[str]:
        """The descriptions of the steps."""
        return self.what.split("; ")


def rewrites(data: bytes, target: Target) -> list[Rewrite]:
    """Return distinct rewrites of the target in the file's bytes, each of up to three steps, the most promising first.

    Single steps alternate with combinations, so that one bad step does not invalidate all rewrites. Returns none for a
    file that is not UTF-8 Python, or for a function that is async, is a generator, or binds outer names, since the
    timing of its effects is part of its behaviour. Raises UsageError if the file does not contain the target.
    """
    try:
        target.find(data.decode("utf-8"))
    except (SyntaxError, ValueError):
        return []
    mixed = {one.data: one for group in zip_longest(*_search(data, target)) for one in group if one is not None}
    return list(islice(mixed.values(), MOST))


def _search(data: bytes, target: Target) -> tuple[list[Rewrite], list[Rewrite]]:
    """Return (combinations of steps, single steps), the most promising first."""
    singles: list[tuple[float, int, Rewrite]] = []
    several: list[tuple[float, int, Rewrite]] = []
    order, seen, done = count(), {data}, set[frozenset[str]]()
    queue: list[tuple[float, int, int, float, Rewrite]] = [(-1.0, 0, 0, 1.0, Rewrite("", data))]
    looked = 0
    while queue and looked < MOST_LOOKED_AT and len(seen) < 4 * MOST:
        _, _, steps, doubt, base = heapq.heappop(queue)
        looked += 1
        for promise, what, text in _steps(base.data, target):
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


def _steps(data: bytes, target: Target) -> Iterator[tuple[float, str, bytes]]:
    """Yield (promise, description, new text) of each single rewrite that results in a valid file."""
    source = Source(target.path, data)
    found = [node for name, node in functions_of(source.tree) if name == target.name]
    if not found or not _is_plain_function(found[-1]):
        return
    scope = Scope(source, found[-1])
    for promise, family in FAMILIES:
        for draft in family(scope):
            text = _apply(data, draft) if draft is not None else data
            if draft is not None and text != data and _is_valid(scope, text, target):
                yield promise, draft.what, text
                promise *= AFTER


def _apply(data: bytes, draft: Draft) -> bytes:
    """Apply the edits; insertions at the same position keep their order."""
    numbered = sorted(enumerate(draft.edits), key=lambda one: (one[1][0], one[1][1], one[0]), reverse=True)
    limit = len(data)
    for _, (start, end, text) in numbered:
        if end > limit:
            return b""
        data, limit = data[:start] + text.encode() + data[end:], start
    return data


def _is_valid(scope: Scope, text: bytes, target: Target) -> bool:
    """Whether a text parses and differs only in the body of the function and in imports."""
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
    """Return the lines of a file except imports, empty lines and the lines of the function."""
    lines = data.splitlines()
    rest = [*lines[: function.lineno - 1], *lines[function.end_lineno :]]
    return [line for line in rest if line.strip() and not line.startswith((b"import ", b"from "))]


def _is_plain_function(function: Definition) -> bool:
    """Return whether a function does all its work before it returns and does not bind outer names."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom | ast.Await | ast.Global | ast.Nonlocal):
            return False
        if not isinstance(node, Definition | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return isinstance(function, ast.FunctionDef)
