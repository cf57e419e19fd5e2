"""Hunks of changed lines: the smallest parts of a change that can be taken back on their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


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
