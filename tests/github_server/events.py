"""Payloads of GitHub's webhooks, which an action reads from GITHUB_EVENT_PATH."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.github_server import shapes
from tests.github_server.state import Repo
from tests.github_server.threads import Comment, Issue, Pull, ReviewComment

if TYPE_CHECKING:
    from tests.github_server.hub import Hub

COMMENTED = "webhook-issue-comment-created"
REVIEWED = "webhook-pull-request-review-comment-created"


def payload(
    hub: Hub,
    name: str,
    action: str,
    about: Issue | Comment | Repo,
    actor: str,
    label: str,
    inputs: Mapping[str, Any] | None,
    ref: str,
) -> dict[str, Any]:
    """Return the payload of the event `name` with `action`, for the object that it is about."""
    if isinstance(about, Repo):
        repo, login = about, actor or about.owner.login
    elif isinstance(about, Comment):
        repo, login = about.issue.repo, actor or about.author.login
    else:
        repo, login = about.repo, actor or about.author.login
    shared = {
        "repository": shapes.repository(repo, "repository-webhooks"),
        "sender": shapes.user(hub.user(login), hub) or {},
    }
    if name == "workflow_dispatch":
        branch = ref or f"refs/heads/{repo.default_branch}"
        return {**shared, "inputs": dict(inputs or {}), "ref": branch, "workflow": ".github/workflows/swe-agent.yml"}
    if name == "issues" and isinstance(about, Issue):
        fields = {"action": action, "issue": shapes.issue(about, f"webhook-issues-{action}.issue"), **shared}
        return fields | ({"label": shapes.label(repo, label)} if action == "labeled" else {})
    if name == "issue_comment" and isinstance(about, Comment):
        comment = shapes.comment(about, f"{COMMENTED}.comment")
        return {
            "action": action,
            "issue": shapes.issue(about.issue, f"{COMMENTED}.issue"),
            "comment": comment,
            **shared,
        }
    if name == "pull_request_review_comment" and isinstance(about, ReviewComment) and isinstance(about.issue, Pull):
        comment = shapes.review_comment(about, f"{REVIEWED}.comment")
        pull = shapes.pull(about.issue, f"{REVIEWED}.pull_request")
        return {"action": action, "comment": comment, "pull_request": pull, **shared}
    if name == "pull_request" and isinstance(about, Pull):
        pull = shapes.pull(about)
        commits = {"before": about.first_head, "after": about.head_sha} if action == "synchronize" else {}
        return {"action": action, "number": about.number, "pull_request": pull, **commits, **shared}
    if name == "workflow_run" and isinstance(about, Pull):
        number = int((inputs or {})["run"])
        run = shapes.run_of_pull(about, f"webhook-workflow-run-{action}.workflow_run", number)
        given = {name: value for name, value in (inputs or {}).items() if name != "run"}
        return {"action": action, "workflow": None, "workflow_run": run | given, **shared}
    raise ValueError(f"no webhook {name} {action} is known here")
