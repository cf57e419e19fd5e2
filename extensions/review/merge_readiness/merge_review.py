"""The review of a patch for merging: overreach, and changes that the tests showing the issue do not need."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache

from aci.proof.proof_run import read_text, split_patch
from aci.repository.removable_hunks import Hunk, apply_hunks, find_hunks, find_unneeded
from extensions.review.merge_readiness.overreach import Finding, find_overreach
from trajectories.git_store.trees import Trees

MOST_SEARCHED, MOST_BYTES = 10_000, 500_000
"""Maximum number of files that are searched for a name, and the size from which a file is not searched."""
UNREADABLE = re.compile("[\0\ufffd]")
MOST_TRIED = 60
"""Maximum number of hunks that are taken back one by one."""


@dataclass(frozen=True, slots=True)
class MergeReview:
    """What a reviewer should know of a patch beside its verdict.

    `hunks` is the number of hunks in its source files. `unneeded` are those without which the tests that show the issue
    still pass; None if this was not tried.
    """

    findings: tuple[Finding, ...]
    hunks: int
    unneeded: tuple[Hunk, ...] | None


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
    is_used = _word_search(trees, tree, after)
    findings = find_overreach(before, after, issue, is_used, lambda: time.monotonic() > end)
    hunks = [hunk for path in after if path in before for hunk in find_hunks(path, before[path], after[path])]
    if not passes or len(hunks) > MOST_TRIED or not passes(tree):
        return MergeReview(tuple(findings), len(hunks), None)

    def pass_without(removed: Collection[Hunk]) -> bool | None:
        """Tell whether the tests pass without these hunks; None when the time is over."""
        texts = {}
        for path in {hunk.path for hunk in removed}:
            every = [hunk for hunk in hunks if hunk.path == path]
            kept = [hunk for hunk in every if hunk not in removed]
            texts[path] = apply_hunks(before[path], after[path], kept, every).encode()
        return passes(trees.write(texts, tree)) if time.monotonic() < end else None

    # A default that the tests need is what the fix changes.
    found = [one for one in findings if one.kind != "changed default" or pass_without(one.hunks) is not False]
    return MergeReview(tuple(found), len(hunks), tuple(find_unneeded(hunks, pass_without)))


def _word_search(trees: Trees, tree: str, known: Collection[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a word occurs in another file of the tree; of a very large tree it says so
    of every word."""

    @cache
    def words() -> frozenset[str]:
        paths = [path for path, entry in trees.files(tree).items() if entry.size < MOST_BYTES and path not in known]
        texts = (read_text(trees, tree, path) for path in paths)
        return frozenset(word for text in texts for word in re.findall(r"\w+", text)) if is_small else frozenset()

    is_small = len(trees.files(tree)) <= MOST_SEARCHED
    return lambda word: not is_small or word in words()
