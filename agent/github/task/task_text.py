"""A task as text for the model: the issue or pull request, and the requester's message."""

from __future__ import annotations

from dataclasses import replace

from agent.github.task.task_request import TaskRequest
from agent.prompts.quotation import discussion
from trajectories.records import Comment, Issue

REQUEST_ROLE = "what you are asked for"


def issue_of(task: TaskRequest) -> Issue:
    """Return the issue at the time of the trigger, with the thread's comments; the requester's text comes last."""
    said = [*task.issue.comments, *task.thread]
    if task.request.strip():
        said.append(Comment(task.asked_by, task.request, task.at, trust="member", about=REQUEST_ROLE))
    return replace(task.issue, comments=tuple(said))


def request_of(task: TaskRequest) -> str:
    """Return the requester's message, then the earlier comments as quoted data."""
    return "\n\n".join(filter(None, [task.request.strip(), discussion(task.thread)]))
