"""What GitHub's webhooks say, and so what an action finds at GITHUB_EVENT_PATH."""

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
    """Of `name` and `action`, about what it happened to."""
    if isinstance(about, Repo):
        repo, who = about, actor or about.owner.login
    elif isinstance(about, Comment):
        repo, who = about.issue.repo, actor or about.author.login
    else:
        repo, who = about.repo, actor or about.author.login
    shared = {
        "repository": shapes.repository(repo, "repository-webhooks"),
        "sender": shapes.user(hub.user(who), hub) or {},
    }
    if name == "workflow_dispatch":
        branch = ref or f"refs/heads/{repo.default_branch}"
        return {**shared, "inputs": dict(inputs or {}), "ref": branch, "workflow": ".github/workflows/swe-agent.yml"}
    if name == "issues" and isinstance(about, Issue):
        made = {"action": action, "issue": shapes.issue(about, f"webhook-issues-{action}.issue"), **shared}
        return made | ({"label": shapes.label(repo, label)} if action == "labeled" else {})
    if name == "issue_comment" and isinstance(about, Comment):
        said = shapes.comment(about, f"{COMMENTED}.comment")
        return {"action": action, "issue": shapes.issue(about.issue, f"{COMMENTED}.issue"), "comment": said, **shared}
    if name == "pull_request_review_comment" and isinstance(about, ReviewComment) and isinstance(about.issue, Pull):
        said = shapes.review_comment(about, f"{REVIEWED}.comment")
        whole = shapes.pull(about.issue, f"{REVIEWED}.pull_request")
        return {"action": action, "comment": said, "pull_request": whole, **shared}
    raise ValueError(f"no webhook {name} {action} is known here")
