"""The answer to words in a pull request: in the review thread that asked, else as a comment of its own. Once a run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from agent.github.client import asking, made
from agent.github.neutral import cut
from agent.github.rules import workflow_run
from agent.github.sticky import CUT, LONGEST, MOST

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.PullRequestComment import PullRequestComment
    from github.Repository import Repository

    from agent.github.errand import Errand

NEEDS = "pull-requests: write"


def reply(repository: Repository, asked: Errand, bot: str, text: str) -> str:
    """Answer, unless this run of the workflow did so already; the answer's address."""
    mark = f"<!-- swe-agent answer {workflow_run()} -->"
    body = cut(f"{mark}\n\n{text}", LONGEST, CUT)
    with asking(f"answer in #{asked.number}", NEEDS):
        pull = repository.get_pull(asked.number)
        there = pull.get_review_comments() if asked.reply_to else pull.get_issue_comments()
        if workflow_run() and (earlier := _earlier(there, mark, bot)):
            return earlier
        if asked.reply_to:
            return made(pull.create_review_comment_reply(asked.reply_to, body)).html_url
        return made(pull.create_issue_comment(body)).html_url


def _earlier(comments: Iterable[IssueComment | PullRequestComment], mark: str, bot: str) -> str:
    """Where the bot said it before."""
    for comment in islice(comments, MOST):
        author = comment.user.login if comment.user else ""
        if author.casefold() == bot.casefold() and (comment.body or "").startswith(mark):
            return comment.html_url
    return ""
