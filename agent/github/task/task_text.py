"""A task as text for the model: the issue or pull request, and the requester's words."""

from __future__ import annotations

from dataclasses import replace

from agent.github.task.task_request import TaskRequest
from agent.prompts.quotation import discussion
from trajectories.records import Comment, Issue

REQUEST_ROLE = "what you are asked for"


def issue_of(errand: TaskRequest) -> Issue:
    """Return the issue as of the trigger, with the thread's comments; the requester's words come last."""
    said = [*errand.issue.comments, *errand.thread]
    if errand.request.strip():
        said.append(Comment(errand.asked_by, errand.request, errand.at, trust="member", about=REQUEST_ROLE))
    return replace(errand.issue, comments=tuple(said))


def request_of(errand: TaskRequest) -> str:
    """Return the requester's words, then the earlier comments as quoted data."""
    return "\n\n".join(filter(None, [errand.request.strip(), discussion(errand.thread)]))
