"""The part of a patch that the reproducing tests need, as a tree: what it changes on pages is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from aci.merge_readiness.hunks import Hunk, apply_hunks, find_hunks, split_lines
from aci.merge_readiness.needed_changes import find_unneeded
from trajectories.git_store.trees import Trees

MOST_HUNKS, MOST_RUNS = 40, 12
MOST_BYTES = 500_000
_STYLE = re.compile(r"\.(?:css|scss|sass|less)$")


def needed_tree(trees: Trees, base: str, tree: str, paths: Sequence[str], passes: Callable[[str], bool]) -> str | None:
    """Return the tree with only those changes to source files that the tests need; None if they need all of them.

    `passes` runs the tests that reproduce the issue at a tree. Files that the patch adds or removes, and changes that
    cannot be told apart within MOST_RUNS runs, stay.
    """
    texts = {path: (_text(trees, base, path), _text(trees, tree, path)) for path in paths}
    changed = {path: (old, new) for path, (old, new) in texts.items() if old is not None and new is not None}
    hunks = {path: list(_split(path, old, new)) for path, (old, new) in changed.items()}
    every = [hunk for some in hunks.values() for hunk in some]
    if not 1 < len(every) + len(texts) - len(changed) <= MOST_HUNKS:
        return None
    runs = 0

    def without(removed: Collection[Hunk]) -> str:
        files = {}
        for path in {hunk.path for hunk in removed}:
            kept = [hunk for hunk in hunks[path] if hunk not in removed]
            files[path] = apply_hunks(*changed[path], kept, hunks[path]).encode()
        return trees.write(files, tree)

    def passes_without(removed: Collection[Hunk]) -> bool | None:
        nonlocal runs
        runs += 1
        return None if runs > MOST_RUNS else passes(without(removed))

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
        lines, others = hunk.end - hunk.start, hunk.new_end - hunk.new_start
        if not _STYLE.search(path):
            yield hunk
        elif lines == others and all(
            _depth(before[hunk.start + at]) == _depth(after[hunk.new_start + at]) for at in range(lines)
        ):
            yield from (
                Hunk(path, hunk.start + at, hunk.start + at + 1, hunk.new_start + at, hunk.new_start + at + 1)
                for at in range(lines)
            )
        elif not lines or not others:
            yield from _rules(hunk, after[hunk.new_start : hunk.new_end] if others else before[hunk.start : hunk.end])
        else:
            yield hunk


def _rules(hunk: Hunk, lines: Sequence[str]) -> Iterator[Hunk]:
    """Yield a part of the hunk for each rule or declaration that it adds or removes."""
    depth = first = 0
    for at, line in enumerate(lines, 1):
        depth += _depth(line)
        if depth <= 0 or at == len(lines):
            if hunk.start == hunk.end:
                yield Hunk(hunk.path, hunk.start, hunk.end, hunk.new_start + first, hunk.new_start + at)
            else:
                yield Hunk(hunk.path, hunk.start + first, hunk.start + at, hunk.new_start, hunk.new_start)
            depth, first = 0, at


def _depth(line: str) -> int:
    return line.count("{") - line.count("}")
