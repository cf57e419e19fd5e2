"""What a model is told that an errand is about: the issue or pull request, and the words of who asked."""

from __future__ import annotations

from dataclasses import replace

from agent.github.errand import Errand
from agent.moves.framing import discussion
from trajectories.records import Comment, Issue

ASKED = "what you are asked for"


def issue_of(errand: Errand) -> Issue:
    """As of the trigger, with what was said in the thread; the words of who asked come last."""
    said = [*errand.issue.comments, *errand.thread]
    if errand.request.strip():
        said.append(Comment(errand.asked_by, errand.request, errand.at, trust="member", about=ASKED))
    return replace(errand.issue, comments=tuple(said))


def request_of(errand: Errand) -> str:
    """The words of who asked, then what was said before them, as data."""
    return "\n\n".join(filter(None, [errand.request.strip(), discussion(errand.thread)]))
