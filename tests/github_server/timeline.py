"""Timelines of issues and pull requests, with their comments."""

from __future__ import annotations

from typing import Any

from tests.github_server import shapes
from tests.github_server.issues import ISSUE, READ
from tests.github_server.request import Answer
from tests.github_server.routes import Call, route
from tests.github_server.threads import Issue, Pull, ReviewComment


@route("GET", ISSUE + "/timeline", *READ)
def list_timeline(call: Call) -> Answer:
    issue = call.issue()
    comments = [
        {
            **shapes.comment(comment, "timeline-comment-event"),
            "event": "commented",
            "actor": shapes.user(comment.author, call.hub),
        }
        for comment in issue.comments
    ]
    if isinstance(issue, Pull):
        comments += _review_entries(issue.review)
    events = [_event_entry(call, issue, event) for event in issue.events]
    return call.page(sorted([*comments, *filter(None, events)], key=lambda comment: str(comment["created_at"])))


def _review_entries(review: list[ReviewComment]) -> list[Any]:
    return [
        {
            "event": "line-commented",
            "node_id": "L",
            "created_at": comment.at,
            "comments": [shapes.review_comment(comment)],
        }
        for comment in review
        if not comment.reply_to
    ]


@route("GET", ISSUE + "/events", *READ)
def list_events(call: Call) -> Answer:
    issue = call.issue()
    events = [_event_entry(call, issue, event) for event in issue.events if event["event"] != "cross-referenced"]
    return call.page(events)


def _event_entry(call: Call, issue: Issue, event: Any) -> Any:
    """Return an entry of the timeline, or None if it is in a repository that the user cannot see."""
    actor = shapes.user(event["actor"], call.hub)
    if event["event"] == "cross-referenced":
        source = event["source"]
        if source.repo.private and not (call.token and source.repo.has_access(call.me, "read")):
            return None
        source_fields = {**shapes.issue(source), "repository": shapes.repository(source.repo, "repository")}
        at = {"created_at": event["created_at"], "updated_at": event["created_at"]}
        return {"event": "cross-referenced", "actor": actor, **at, "source": {"type": "issue", "issue": source_fields}}
    common = {
        "node_id": "E",
        "url": f"{issue.repo.api}/issues/events/{event['id']}",
        "commit_id": None,
        "commit_url": None,
        "performed_via_github_app": None,
    }
    return {**common, **event, "actor": actor}
