"""Delta debugging over the hunks of a patch: which of them the tests that show the issue do not need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from aci.merge_readiness.hunks import Hunk

MOST_ALONE = 4
"""With at most this many files, each is first tried alone, since the others may depend on each other."""


def find_unneeded(hunks: Sequence[Hunk], passes: Callable[[Collection[Hunk]], bool | None]) -> list[Hunk]:
    """Return the hunks without which the tests still pass, all taken back together, in order.

    `passes` runs the tests without these hunks; it returns None when the time is used up, after which no more hunks
    are tried. Files are tried first, then halves of them, then single hunks, until none of the rest can be removed. The
    idea is that of delta debugging (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002).
    """
    removed: list[Hunk] = []
    failed: set[frozenset[Hunk]] = set()
    is_over = False

    def can_remove(group: Sequence[Hunk]) -> bool:
        nonlocal is_over
        without = frozenset((*removed, *group))
        if is_over or without in failed:
            return False
        answer = passes(without)
        is_over = answer is None
        if answer:
            removed.extend(group)
        elif answer is False:
            failed.add(without)
        return bool(answer)

    def reduce(group: Sequence[Hunk]) -> None:
        if group and not can_remove(group) and len(group) > 1:
            middle = len(group) // 2
            reduce(group[middle:])
            reduce(group[:middle])

    paths = list(dict.fromkeys(hunk.path for hunk in reversed(hunks)))
    if 2 < len(paths) <= MOST_ALONE:
        any(can_remove([hunk for hunk in hunks if hunk.path != path]) for path in paths)
    tried = -1
    while tried < len(removed) and not is_over:
        tried = len(removed)
        for path in paths:
            reduce([hunk for hunk in hunks if hunk.path == path and hunk not in removed])
    return [hunk for hunk in hunks if hunk in removed]
