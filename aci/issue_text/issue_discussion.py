"""Selection of the comments on an issue that help to find and fix its cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from aci.issue_text.issue_sections import find_frames
from trajectories.records import Comment, Issue

MOST_READ = 20_000
"""Maximum number of characters of comments that are read in addition to an issue's own text."""
LONGEST = 6_000
"""Maximum number of characters counted for one comment, so that a log does not use up the budget."""
_CODE = re.compile(r"^ {0,3}(?:```|~~~)|^\s*(?:>>> |Traceback \(most)|/(?:blob|tree)/[^/\s]+/\S+#L\d", re.MULTILINE)
_PATH = re.compile(
    r"(?<![\w./:-])[\w.-]{1,100}(?:/[\w.-]{1,100}){0,12}\.(?:py|pyx|js|ts|tsx|go|rs|java|rb|php|c|cc|cpp|h)\b"
)
_BOT = re.compile(r"\[bot\]$")


def points_at_code(text: str) -> bool:
    """Return whether text contains code, a traceback or a path, which help to locate the bug."""
    text = text[:LONGEST]
    return bool(_CODE.search(text) or _PATH.search(text) or find_frames(text)[0])


def select_comments(comments: Sequence[Comment], room: int, longest: int = LONGEST) -> tuple[Comment, ...]:
    """Return the most useful comments that together have at most `room` characters, in their original order.

    Comments that point at code are preferred, then the first and the last ones; comments of bots come last. At most
    `longest` characters of a comment are counted.
    """
    ranked = sorted(_outside_in(len(comments)), key=lambda index: _rank(comments[index]))
    selected = set()
    for index in ranked:
        needed = min(len(comments[index].body), longest)
        if needed <= room:
            room -= needed
            selected.add(index)
    return tuple(comment for index, comment in enumerate(comments) if index in selected)


def append_discussion(issue: Issue) -> Issue:
    """Return the issue with the comments that point at code appended to its body, for localization."""
    useful = [each for each in issue.comments if points_at_code(each.body) and not _BOT.search(each.author)]
    texts = [comment.body[:LONGEST] for comment in select_comments(useful, MOST_READ)]
    return replace(issue, body="\n\n".join([issue.body, *texts])) if texts else issue


def _rank(comment: Comment) -> int:
    if _BOT.search(comment.author):
        return 2
    return 0 if points_at_code(comment.body) else 1


def _outside_in(count: int) -> Iterator[int]:
    """Yield the first index, the last, the second, the second last, …"""
    for step in range((count + 1) // 2):
        yield step
        if count - 1 - step != step:
            yield count - 1 - step
