"""A task as text for the model: the issue or pull request, and the requester's message."""

from __future__ import annotations

from dataclasses import replace

from agent.prompts.quotation import discussion, quoted_logs
from extensions.github.task.task_request import TaskRequest
from trajectories.records import Comment, Issue

REQUEST_ROLE = "what you are asked for"
ANSWER_ROLE = "the answer to your questions"


def issue_of(task: TaskRequest) -> Issue:
    """Return the issue at the time of the trigger, with the thread's comments; the requester's text comes last. Logs of
    failed CI jobs are attached."""
    said = [*task.issue.comments, *task.thread]
    if task.request.strip():
        said.append(Comment(task.asked_by, task.request, task.at, trust="member", about=REQUEST_ROLE))
    return replace(
        task.issue, comments=tuple(said), attachments="\n\n".join(f"{log.about}\n{log.body}" for log in task.logs)
    )


def request_of(task: TaskRequest) -> str:
    """Return the requester's message, then the earlier comments and the logs of failed CI jobs as quoted data."""
    return "\n\n".join(filter(None, [task.request.strip(), discussion(task.thread), quoted_logs(task.logs)]))
