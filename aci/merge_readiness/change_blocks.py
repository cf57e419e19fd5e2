"""Blocks of changed lines: the smallest parts of a change that can be taken back on their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Block:
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


def find_blocks(path: str, old: str, new: str) -> list[Block]:
    """Return the blocks of the change between two texts of a file, in order."""
    matcher = SequenceMatcher(None, split_lines(old), split_lines(new), autojunk=False)
    return [Block(path, *ranges) for tag, *ranges in matcher.get_opcodes() if tag != "equal"]


def apply_blocks(old: str, new: str, chosen: Collection[Block], every: Sequence[Block]) -> str:
    """Return the old text with the `chosen` blocks of the change to the new text; `every` holds all its blocks."""
    before, after = split_lines(old), split_lines(new)
    made: list[str] = []
    at = 0
    for block in every:
        made += before[at : block.start]
        made += after[block.new_start : block.new_end] if block in chosen else before[block.start : block.end]
        at = block.end
    return "".join([*made, *before[at:]])
