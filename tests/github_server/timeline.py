"""What happened to an issue or a pull request, with what was said there."""

from __future__ import annotations

from typing import Any

from tests.github_server import shapes
from tests.github_server.issues import ISSUE, READ
from tests.github_server.request import Answer
from tests.github_server.routes import Call, route
from tests.github_server.threads import Issue, Pull, ReviewComment


@route("GET", ISSUE + "/timeline", *READ)
def timeline(call: Call) -> Answer:
    one = call.issue()
    said = [
        {
            **shapes.comment(part, "timeline-comment-event"),
            "event": "commented",
            "actor": shapes.user(part.author, call.hub),
        }
        for part in one.comments
    ]
    if isinstance(one, Pull):
        said += _reviewed(one.review)
    happened = [_happened(call, one, event) for event in one.happened]
    return call.page(sorted([*said, *filter(None, happened)], key=lambda part: str(part["created_at"])))


def _reviewed(review: list[ReviewComment]) -> list[Any]:
    return [
        {"event": "line-commented", "node_id": "L", "created_at": said.at, "comments": [shapes.review_comment(said)]}
        for said in review
        if not said.reply_to
    ]


@route("GET", ISSUE + "/events", *READ)
def events(call: Call) -> Answer:
    one = call.issue()
    found = [_happened(call, one, event) for event in one.happened if event["event"] != "cross-referenced"]
    return call.page(found)


def _happened(call: Call, one: Issue, event: Any) -> Any:
    """An entry of the timeline. What is in a repository that who asks cannot see is not there."""
    actor = shapes.user(event["actor"], call.hub)
    if event["event"] == "cross-referenced":
        source = event["source"]
        if source.repo.private and not (call.token and source.repo.may(call.me, "read")):
            return None
        about = {**shapes.issue(source), "repository": shapes.repository(source.repo, "repository")}
        at = {"created_at": event["created_at"], "updated_at": event["created_at"]}
        return {"event": "cross-referenced", "actor": actor, **at, "source": {"type": "issue", "issue": about}}
    usual = {
        "node_id": "E",
        "url": f"{one.repo.api}/issues/events/{event['id']}",
        "commit_id": None,
        "commit_url": None,
        "performed_via_github_app": None,
    }
    return {**usual, **event, "actor": actor}
