"""The part of a patch that the reproducing tests need, as a tree: what it changes on pages is asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import SequenceMatcher

from aci.repository.removable_hunks import Hunk, apply_hunks, find_hunks, find_unneeded, split_lines
from trajectories.git_store.trees import Trees

MOST_HUNKS, MOST_RUNS, MOST_SECONDS = 40, 16, 240.0
LIKENESS = 0.6
"""A line replaces another one if they are at least this alike."""
MOST_AHEAD = MOST_HUNKS
"""Among how many of the next lines the one that replaces a line is searched."""
MOST_BYTES = 500_000
_STYLE = re.compile(r"\.(?:css|scss|sass|less)$")


def needed_tree(trees: Trees, base: str, tree: str, paths: Sequence[str], passes: Callable[[str], bool]) -> str | None:
    """Return the tree with only those changes to source files that the tests need; None if they need all of them.

    `passes` runs the tests that reproduce the issue at a tree. Files that the patch adds or removes, and changes that
    cannot be told apart within MOST_RUNS runs or MOST_SECONDS, stay.
    """
    texts = {path: (_text(trees, base, path), _text(trees, tree, path)) for path in paths}
    changed = {path: (old, new) for path, (old, new) in texts.items() if old is not None and new is not None}
    hunks = {path: list(_split(path, old, new)) for path, (old, new) in changed.items()}
    every = [hunk for path, some in hunks.items() for hunk in some if _is_removable(hunk, *changed[path])]
    if not 1 < len(every) + len(texts) - len(changed) <= MOST_HUNKS:
        return None
    runs, end = 0, time.monotonic() + MOST_SECONDS

    def without(removed: Collection[Hunk]) -> str:
        files = {}
        for path in {hunk.path for hunk in removed}:
            kept = [hunk for hunk in hunks[path] if hunk not in removed]
            files[path] = apply_hunks(*changed[path], kept, hunks[path]).encode()
        return trees.write(files, tree)

    def passes_without(removed: Collection[Hunk]) -> bool | None:
        nonlocal runs
        runs += 1
        return None if runs > MOST_RUNS or time.monotonic() > end else passes(without(removed))

    removed = find_unneeded(every, passes_without)
    return without(removed) if removed else None


def _text(trees: Trees, tree: str, path: str) -> str | None:
    """Return the text of a file; None if there is no such file, or if it is binary or too large."""
    try:
        data = trees.read(tree, path)
        return data.decode() if len(data) <= MOST_BYTES and b"\0" not in data else None
    except (OSError, UnicodeDecodeError):
        return None


def _split(path: str, old: str, new: str) -> Iterator[Hunk]:
    """Yield the hunks of a file, those of a style sheet split into declarations and rules, which are independent."""
    before, after = split_lines(old), split_lines(new)
    for hunk in find_hunks(path, old, new):
        if _STYLE.search(path) or _is_in_style(after, hunk.new_start):
            yield from _split_style(hunk, before, after)
        else:
            yield hunk


def _is_in_style(lines: Sequence[str], at: int) -> bool:
    """Whether a line of a page or component is in an element `style`."""
    marks = [line for line in lines[:at] if "<style" in line or "</style" in line]
    return bool(marks) and "</style" not in marks[-1]


def _split_style(hunk: Hunk, before: Sequence[str], after: Sequence[str]) -> Iterator[Hunk]:
    """Yield a part of the hunk for each line that replaces one like it, and for each rule or declaration that it
    removes or adds between them."""
    at, new_at = hunk.start, hunk.new_start
    for old in range(hunk.start, hunk.end):
        near = range(new_at, min(hunk.new_end, new_at + MOST_AHEAD))
        likeness, new = max(((_likeness(before[old], after[new]), new) for new in near), default=(0.0, new_at))
        if likeness >= LIKENESS:
            yield from _rules(Hunk(hunk.path, at, old, new_at, new), before, after)
            yield Hunk(hunk.path, old, old + 1, new, new + 1)
            at, new_at = old + 1, new + 1
    yield from _rules(Hunk(hunk.path, at, hunk.end, new_at, hunk.new_end), before, after)


def _likeness(old: str, new: str) -> float:
    """Return how alike two lines are, from 0 to 1; 0 if one opens or closes more blocks."""
    return SequenceMatcher(None, old.strip(), new.strip()).ratio() if _depth(old) == _depth(new) else 0.0


def _rules(hunk: Hunk, before: Sequence[str], after: Sequence[str]) -> Iterator[Hunk]:
    """Yield a part of the hunk for each rule or declaration that it removes, and for each that it adds; the
    hunk itself if its lines are parts of rules."""
    if _balance(before[hunk.start : hunk.end]) or _balance(after[hunk.new_start : hunk.new_end]):
        yield hunk
        return
    for first, end in _blocks(before, hunk.start, hunk.end):
        yield Hunk(hunk.path, first, end, hunk.new_start, hunk.new_start)
    for first, end in _blocks(after, hunk.new_start, hunk.new_end):
        yield Hunk(hunk.path, hunk.end, hunk.end, first, end)


def _blocks(lines: Sequence[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of lines that are whole rules or declarations; of a rule such as `@media`, its first line, the
    rules in it, and its last line."""
    depth, first = 0, start
    for at in range(start, end):
        depth += _depth(lines[at])
        if depth <= 0 or at == end - 1:
            if lines[first].lstrip().startswith("@") and _depth(lines[first]) == 1 and _depth(lines[at]) == -1:
                yield first, first + 1
                yield from _blocks(lines, first + 1, at)
                first = at
            yield first, at + 1
            depth, first = 0, at + 1


def _is_removable(hunk: Hunk, old: str, new: str) -> bool:
    """Whether the rest of the file has no more open blocks without this hunk."""
    before, after = split_lines(old)[hunk.start : hunk.end], split_lines(new)[hunk.new_start : hunk.new_end]
    return not _STYLE.search(hunk.path) or _balance(before) == _balance(after)


def _balance(lines: Sequence[str]) -> int:
    return sum(map(_depth, lines))


def _depth(line: str) -> int:
    return line.count("{") - line.count("}")
