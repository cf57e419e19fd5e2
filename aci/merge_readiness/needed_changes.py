"""Delta debugging over the blocks of a patch: which of them the tests that show the issue do not need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from aci.merge_readiness.change_blocks import Block


def find_unneeded(blocks: Sequence[Block], passes: Callable[[Collection[Block]], bool | None]) -> list[Block]:
    """Return the blocks without which the tests still pass, all taken back together, in order.

    `passes` runs the tests without these blocks; it returns None when the time is used up, after which no more blocks
    are tried. Files are tried first, then halves of them, then single blocks. The idea is that of delta debugging
    (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002).
    """
    removed: list[Block] = []
    is_over = False

    def reduce(group: Sequence[Block]) -> None:
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

    for path in dict.fromkeys(block.path for block in reversed(blocks)):
        reduce([block for block in blocks if block.path == path])
    return [block for block in blocks if block in removed]
