"""Search for earlier fixes that are similar to an issue, by the text of their commits and the kinds of fixes.

Showing earlier fixes of the same repository together with the bug follows RAP-Gen (arXiv 2309.06057); choosing them
also by the kind of bug follows InferFix (arXiv 2303.07263).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from aci.graph.file_selection import is_test_or_example, language_of
from aci.history.commit_search import PastCommit
from aci.history.fix_kinds import kinds_of_diff, kinds_of_issue

MOST, MOST_FILES, LONGEST = 3, 5, 1_500
"""Maximum number of fixes, maximum number of source files that a fix changes, and number of characters of a diff above
which its score decreases."""
PER_KIND, MOST_KINDS = 0.25, 2
"""The bonus of a fix for each of its kinds that the issue suggests, and the maximum number of kinds that count."""
_CHANGES_A_FILE = re.compile(r'(?m)^--- "?a/')


class Commits(Protocol):
    """History queries that this module uses; see `aci/history/commit_search.py`."""

    def touched(self, commits: Sequence[str], present: Collection[str] | None = None) -> dict[str, tuple[str, ...]]: ...

    def diff(self, commit: str, paths: Sequence[str]) -> str: ...


@dataclass(frozen=True, slots=True)
class SimilarFix:
    """An earlier fix; `kinds` are those of its kinds that the issue suggests, `diff` excludes tests."""

    commit: str
    subject: str
    score: float
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    diff: str


def find_similar_fixes(
    commits: Commits, similar: Sequence[PastCommit], issue: str, most: int = MOST
) -> list[SimilarFix]:
    """Return the fixes among the commits in `similar`, best first, at most one per commit subject.

    A commit is a fix if it changes existing source files. Its score is the commit's similarity, raised if the issue
    suggests its kinds and lowered for a long diff.
    """
    suggested = kinds_of_issue(issue)
    touched = commits.touched([one.commit for one in similar])
    found: list[SimilarFix] = []
    for one in similar:
        paths = tuple(
            path for path in touched.get(one.commit, ()) if language_of(path) and not is_test_or_example(path)
        )
        if 0 < len(paths) <= MOST_FILES:
            diff = commits.diff(one.commit, paths)
            if _CHANGES_A_FILE.search(diff):
                kinds = tuple(kind for kind in kinds_of_diff(diff) if kind in suggested)
                score = one.score * (1 + PER_KIND * min(len(kinds), MOST_KINDS))
                score *= min(1.0, LONGEST / len(diff)) ** 0.5
                found.append(SimilarFix(one.commit, one.subject, round(score, 4), paths, kinds, diff))
    found.sort(key=lambda fix: (-fix.score, fix.commit))
    return list({fix.subject: fix for fix in reversed(found)}.values())[::-1][:most]
