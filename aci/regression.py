"""Which test files are likeliest to notice what a change breaks: those of its modules, and those that name what it
changes. A large suite is begun with them, so that its time limit falls on the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from aci.evidence import imported
from aci.patch import is_test
from aci.source import definitions
from trajectories.trees import Trees

LARGE = 40
"""A suite of fewer test files is simply run."""
MOST = 25
HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
COMMON = 4
"""Shorter names stand everywhere."""


def related_tests(trees: Trees, base: str, tree: str, changed: Sequence[str]) -> tuple[str, ...]:
    """The test files of `base` that concern the source paths `changed` in `tree`, likeliest first; none where the
    suite is small anyway."""
    tests = [
        path
        for path in trees.files(base)
        if is_test(path) and re.search(r"(?:^|/)(?:test_.*|.*_test|tests)\.py$", path)
    ]
    if len(tests) < LARGE:
        return ()
    known = trees.files(tree)
    names = {name for path in changed if path in known for name in _changed_names(trees, base, tree, path)}
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b") if names else None
    scored = [(_score(path, trees.read(base, path).decode("utf-8", "replace"), changed, word), path) for path in tests]
    return tuple(path for score, path in sorted(scored, key=lambda one: (-one[0], one[1])) if score)[:MOST]


def _score(test: str, text: str, changed: Sequence[str], word: re.Pattern[str] | None) -> int:
    """How much a test file has to do with the changed sources."""
    score = len(set(word.findall(text))) if word else 0
    stem = re.sub(r"^test_|_test$", "", PurePosixPath(test).stem)
    modules = imported(text) if changed else set()
    for path in changed:
        parts = PurePosixPath(path.removesuffix(".py").removesuffix("/__init__")).parts
        score += 4 * (stem in (parts[-1].strip("_"), "_".join(parts[-2:])))
        score += 2 * any(".".join(parts[at:]) in modules for at in range(len(parts)))
        score += test.startswith(f"{'/'.join(parts[:-1])}/") and len(parts) > 2
    return score


def _changed_names(trees: Trees, base: str, tree: str, path: str) -> set[str]:
    """The names of the definitions whose lines a change touches, with those that hold them."""
    if not path.endswith(".py"):
        return set()
    diff = trees.diff(base, tree, [path])
    spans = [(int(start), int(start) + int(length or 1)) for start, length in HUNK.findall(diff)]
    known = definitions(trees.read(tree, path).decode("utf-8", "replace"))
    touched = [one for one in known if any(one.line < end - 3 and start + 3 <= one.end for start, end in spans)]
    names = {part for one in touched for part in one.name.split(".")}
    return {name for name in names if len(name) >= COMMON and not name.startswith("__")}
