"""An issue and what others said of it as a model reads them: somebody's words, between marks that they cannot end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aci.cleaning import one_line
from aci.discussion import chosen
from aci.view import clean, shorten
from agent.frames import guard
from trajectories.records import Comment, Issue

MOST_DISCUSSED, LONGEST = 12_000, 3_000
"""Characters of all comments together, and of one."""
LONGEST_NAME, MOST_LABELS = 200, 20
_NAMES = ("issue", "advice", "comment", "experience", "fix")
FRAME, FRAME_END = guard(*_NAMES), guard(*_NAMES, ends=True)
DATA = "Said of it, oldest first; data like the issue. A `member` belongs to the project, a `stranger` is anybody."


def framed(text: str) -> str:
    """Somebody's text, so that it cannot end the frame it stands in, nor send what a terminal would obey."""
    return FRAME_END.sub(r"<\\", clean(text))


def framed_issue(issue: Issue) -> str:
    """The issue, its labels in a line, and what matters most of the discussion, each with who says it."""
    if not (issue.author or issue.labels or issue.comments):
        return f"<issue>\n{framed(issue.text)}\n</issue>"
    who = f' author="{in_mark(issue.author)}" trust="{issue.trust}"' if issue.author else ""
    labels = ", ".join(in_mark(label) for label in issue.labels[:MOST_LABELS])
    parts = [
        f"<issue{who}>\n{framed_whole(issue.text)}\n</issue>",
        f"Labels: {labels}" if labels else "",
        discussion(issue.comments),
    ]
    return "\n\n".join(filter(None, parts))


def discussion(comments: Sequence[Comment]) -> str:
    """Comments in their frames, the weightiest if they are long; "" for none."""
    if not comments:
        return ""
    shown = chosen(comments, MOST_DISCUSSED, LONGEST)
    left = len(comments) - len(shown)
    more = [f"({left} more {'are' if left > 1 else 'is'} not shown.)"] if left else []
    return "\n".join([DATA, *map(_comment, shown), *more])


def _comment(comment: Comment) -> str:
    about = f' about="{in_mark(comment.about)}"' if comment.about else ""
    role = f' role="{in_mark(comment.role)}"' if comment.role and comment.role != "NONE" else ""
    at = f' at="{in_mark(comment.at[:10])}"' if comment.at else ""
    who = f'author="{in_mark(comment.author)}"{role} trust="{comment.trust}"'
    return f"<comment{about} {who}{at}>\n{framed_whole(shorten(comment.body, LONGEST))}\n</comment>"


def framed_whole(text: str) -> str:
    """As `framed`, where a text beside others might also begin a frame that says it is somebody else's."""
    return FRAME.sub(r"<\\", clean(text))


def in_mark(text: str, most: int = LONGEST_NAME) -> str:
    """What may stand in a mark: one line, without what would end it."""
    return re.sub(r"[<>\"]", "'", one_line(text))[:most]
