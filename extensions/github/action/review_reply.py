"""The answer to a request in a pull request, posted once for each workflow run: in the request's review thread, else as
a comment."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from extensions.github.action_inputs import workflow_run
from extensions.github.api.github_client import require_created, translate_errors
from extensions.github.pull_request.marked_comment import CUT, LONGEST, MOST, NEEDS, is_marked
from extensions.github.text_escaping import cut

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.PullRequestComment import PullRequestComment
    from github.Repository import Repository

    from extensions.github.task.task_request import TaskRequest


def reply(repository: Repository, asked: TaskRequest, bot: str, text: str) -> str:
    """Post the answer unless this workflow run already did, and return the answer's URL."""
    mark = f"<!-- swe-agent answer {workflow_run()} -->"
    body = cut(f"{mark}\n\n{text}", LONGEST, CUT)
    with translate_errors(f"answer in #{asked.number}", NEEDS):
        pull = repository.get_pull(asked.number)
        there = pull.get_review_comments() if asked.reply_to else pull.get_issue_comments()
        if workflow_run() and (earlier := _earlier(there, mark, bot)):
            return earlier
        if asked.reply_to:
            return require_created(pull.create_review_comment_reply(asked.reply_to, body)).html_url
        return require_created(pull.create_issue_comment(body)).html_url


def _earlier(comments: Iterable[IssueComment | PullRequestComment], mark: str, bot: str) -> str:
    """Return the URL of the bot's earlier answer with this mark; "" without one."""
    for comment in islice(comments, MOST):
        if is_marked(comment, bot, mark):
            return comment.html_url
    return ""
