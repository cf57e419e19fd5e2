"""What others said of an issue: which of it matters for finding and mending the cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from aci.localization.traces import frames
from trajectories.records import Comment, Issue

MOST_READ = 20_000
"""Characters of comments that are read beside an issue's own text."""
LONGEST = 6_000
"""Characters that one comment counts at most: a log is no discussion."""
_CODE = re.compile(r"^ {0,3}(?:```|~~~)|^\s*(?:>>> |Traceback \(most)|/(?:blob|tree)/[^/\s]+/\S+#L\d", re.MULTILINE)
_PATH = re.compile(
    r"(?<![\w./:-])[\w.-]{1,100}(?:/[\w.-]{1,100}){0,12}\.(?:py|pyx|js|ts|tsx|go|rs|java|rb|php|c|cc|cpp|h)\b"
)
_BOT = re.compile(r"\[bot\]$")


def points_at_code(text: str) -> bool:
    """Whether it shows code, a traceback or a path: such words help to find the place."""
    text = text[:LONGEST]
    return bool(_CODE.search(text) or _PATH.search(text) or frames(text)[0])


def chosen(comments: Sequence[Comment], room: int, longest: int = LONGEST) -> tuple[Comment, ...]:
    """Those that matter most and have room for their characters together, in their own order.

    What points at code comes first, then the first and the last words, where a discussion begins and where it has come
    to; what programs said comes last. A comment counts `longest` characters at most.
    """
    ranked = sorted(_outside_in(len(comments)), key=lambda at: _rank(comments[at]))
    kept = set()
    for at in ranked:
        needed = min(len(comments[at].body), longest)
        if needed <= room:
            room -= needed
            kept.add(at)
    return tuple(comment for at, comment in enumerate(comments) if at in kept)


def with_discussion(issue: Issue) -> Issue:
    """The issue with what in its comments points at code behind its own text, to be searched for places."""
    telling = [each for each in issue.comments if points_at_code(each.body) and not _BOT.search(each.author)]
    texts = [comment.body[:LONGEST] for comment in chosen(telling, MOST_READ)]
    return replace(issue, body="\n\n".join([issue.body, *texts])) if texts else issue


def _rank(comment: Comment) -> int:
    if _BOT.search(comment.author):
        return 2
    return 0 if points_at_code(comment.body) else 1


def _outside_in(count: int) -> Iterator[int]:
    """First, last, second, last but one, …"""
    for step in range((count + 1) // 2):
        yield step
        if count - 1 - step != step:
            yield count - 1 - step
