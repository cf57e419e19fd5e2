"""The review of a patch for merging: overreach, and changes that the tests showing the issue do not need."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache

from aci.merge_readiness.change_blocks import Block, apply_blocks, find_blocks
from aci.merge_readiness.needed_changes import find_unneeded
from aci.merge_readiness.overreach import Finding, find_overreach
from aci.proof.proof_run import read_text, split_patch
from trajectories.git_store.trees import Trees

SEARCHED = (".py", ".pyi", ".toml", ".cfg", ".ini", ".rst", ".md", ".txt", ".in")
"""Files in which a name may be used."""
MOST_SEARCHED, MOST_BYTES = 5000, 500_000
UNREADABLE = re.compile("[\0\ufffd]")
MOST_TRIED = 60
"""Maximum number of blocks that are taken back one by one."""


@dataclass(frozen=True, slots=True)
class MergeReview:
    """What a reviewer should know of a patch beside its verdict.

    `blocks` is the number of changed places in its source files. `unneeded` are those without which the tests that show
    the issue still pass; None if this was not tried.
    """

    findings: tuple[Finding, ...]
    blocks: int
    unneeded: tuple[Block, ...] | None


def review_patch(
    trees: Trees,
    base: str,
    tree: str,
    issue: str,
    passes: Callable[[str], bool] | None = None,
    seconds: float = 60,
) -> MergeReview:
    """Review the source changes from tree `base` to `tree`, for at most `seconds` plus one run of the tests.

    `passes` tells whether the tests that show the issue pass at a tree. Without it, nothing is run. Raises
    WorkspaceError if it does.
    """
    end = time.monotonic() + seconds
    parts = split_patch(trees, base, tree)
    added = set(parts.added)
    before = {path: read_text(trees, base, path) for path in parts.source if path not in added}
    after = {path: read_text(trees, tree, path) for path in parts.source}
    before, after = (
        {path: text for path, text in texts.items() if not UNREADABLE.search(text)} for texts in (before, after)
    )
    blocks = [block for path in after if path in before for block in find_blocks(path, before[path], after[path])]

    def without(taken: Collection[Block]) -> str:
        """Return the patched tree with these blocks taken back."""
        texts = {}
        for path in {block.path for block in taken}:
            every = [block for block in blocks if block.path == path]
            kept = [block for block in every if block not in taken]
            texts[path] = apply_blocks(before[path], after[path], kept, every).encode()
        return trees.write(texts, tree)

    def tried(taken: Collection[Block]) -> bool | None:
        return passes(without(taken)) if passes and time.monotonic() < end else None

    findings = find_overreach(before, after, issue, _word_search(trees, tree, after))
    if not passes or len(blocks) > MOST_TRIED or not passes(tree):
        return MergeReview(tuple(findings), len(blocks), None)
    # A default that the tests need is what the fix changes.
    found = [one for one in findings if one.kind != "changed default" or tried(one.blocks) is not False]
    return MergeReview(tuple(found), len(blocks), tuple(find_unneeded(blocks, tried)))


def _word_search(trees: Trees, tree: str, known: Collection[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a word occurs in another file of the tree."""

    @cache
    def words() -> frozenset[str]:
        files = trees.files(tree)
        paths = [path for path, entry in files.items() if path.endswith(SEARCHED) and entry.size < MOST_BYTES]
        texts = (read_text(trees, tree, path) for path in paths[:MOST_SEARCHED] if path not in known)
        return frozenset(word for text in texts for word in re.findall(r"\w+", text))

    return lambda word: word in words()
