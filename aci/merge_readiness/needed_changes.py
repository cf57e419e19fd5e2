"""Delta debugging over the hunks of a patch: which of them the tests that show the issue do not need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from aci.merge_readiness.hunks import Hunk


def find_unneeded(hunks: Sequence[Hunk], passes: Callable[[Collection[Hunk]], bool | None]) -> list[Hunk]:
    """Return the hunks without which the tests still pass, all taken back together, in order.

    `passes` runs the tests without these hunks; it returns None when the time is used up, after which no more hunks
    are tried. Files are tried first, then halves of them, then single hunks. The idea is that of delta debugging
    (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002).
    """
    removed: list[Hunk] = []
    is_over = False

    def reduce(group: Sequence[Hunk]) -> None:
        nonlocal is_over
        if is_over or not group:
            return
        answer = passes([*removed, *group])
        if answer is None:
            is_over = True
        elif answer:
            removed.extend(group)
        elif len(group) > 1:
            middle = len(group) // 2
            reduce(group[middle:])
            reduce(group[:middle])

    for path in dict.fromkeys(hunk.path for hunk in reversed(hunks)):
        reduce([hunk for hunk in hunks if hunk.path == path])
    return [hunk for hunk in hunks if hunk in removed]
