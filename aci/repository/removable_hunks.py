"""Hunks of changed lines, the smallest parts of a change that can be taken back, and the search for unneeded ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_ALONE = 4
"""With at most this many files, each is first tried alone, since the others may depend on each other."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Consecutive lines of a file that a patch replaces, removes or adds.

    The ranges are indices of lines, from 0: `start` to `end` in the old file, `new_start` to `new_end` in the new one.
    """

    path: str
    start: int
    end: int
    new_start: int
    new_end: int


def split_lines(text: str) -> list[str]:
    """Return the lines of a text with their ends. Only line feeds end a line, as in Python's syntax trees."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def find_hunks(path: str, old: str, new: str) -> list[Hunk]:
    """Return the hunks of the change between two texts of a file, in order.

    Frequent lines do not begin a match (difflib's `autojunk`): otherwise a file of one repeated line takes minutes.
    """
    matcher = SequenceMatcher(None, split_lines(old), split_lines(new))
    return [Hunk(path, *ranges) for tag, *ranges in matcher.get_opcodes() if tag != "equal"]


def apply_hunks(old: str, new: str, chosen: Collection[Hunk], every: Sequence[Hunk]) -> str:
    """Return the old text with the `chosen` hunks of the change to the new text; `every` holds all its hunks."""
    before, after = split_lines(old), split_lines(new)
    made: list[str] = []
    at = 0
    for hunk in every:
        made += before[at : hunk.start]
        made += after[hunk.new_start : hunk.new_end] if hunk in chosen else before[hunk.start : hunk.end]
        at = hunk.end
    return "".join([*made, *before[at:]])


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
