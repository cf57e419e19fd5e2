"""Fixes before a base that are like what an issue asks for: their commits say it in like words, and are of like kinds.

That earlier fixes of the same repository are shown beside the bug is RAP-Gen's (arXiv 2309.06057), that they are chosen
by the kind of bug too InferFix's (arXiv 2303.07263).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from aci.fix_kinds import kinds_asked, kinds_of
from aci.graph.choice import language_of
from aci.history import Past
from aci.localization.signals import never_an_answer

MOST, MOST_FILES, LONGEST = 3, 5, 1_500
"""Fixes; files of source that one of them changes; characters of its diff that are worth telling."""
PER_KIND, MOST_KINDS = 0.25, 2
"""What a kind of fix that the issue's words speak for adds to a fix that is of it, and how many count."""
_CHANGES_A_FILE = re.compile(r'(?m)^--- "?a/')


class Commits(Protocol):
    """What is asked of a history; see `aci/history.py`."""

    def touched(self, commits: Sequence[str], present: Collection[str] | None = None) -> dict[str, tuple[str, ...]]: ...

    def diff(self, commit: str, paths: Sequence[str]) -> str: ...


@dataclass(frozen=True, slots=True)
class Fix:
    """`kinds` are those that the issue's words speak for too; `diff` is that of the source."""

    commit: str
    subject: str
    score: float
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    diff: str


def fixes(commits: Commits, like: Sequence[Past], issue: str, most: int = MOST) -> list[Fix]:
    """Of commits that are like an issue those that changed what was there, each subject once: the likest first, of a
    kind that is asked for before others, short before long ones."""
    asked = kinds_asked(issue)
    touched = commits.touched([one.commit for one in like])
    found: list[Fix] = []
    for one in like:
        paths = tuple(path for path in touched.get(one.commit, ()) if language_of(path) and not never_an_answer(path))
        if 0 < len(paths) <= MOST_FILES:
            diff = commits.diff(one.commit, paths)
            if _CHANGES_A_FILE.search(diff):
                kinds = tuple(kind for kind in kinds_of(diff) if kind in asked)
                score = one.score * (1 + PER_KIND * min(len(kinds), MOST_KINDS))
                score *= min(1.0, LONGEST / len(diff)) ** 0.5  # of a long one little can be read
                found.append(Fix(one.commit, one.subject, round(score, 4), paths, kinds, diff))
    found.sort(key=lambda fix: (-fix.score, fix.commit))
    return list({fix.subject: fix for fix in reversed(found)}.values())[::-1][:most]
