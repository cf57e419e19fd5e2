"""The part of the GraphQL API that reads issues and pull requests by number, with their edits and comments.

It answers with all fields that it has, whatever the query selects.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.github_server.request import Answer, Refused
from tests.github_server.threads import Comment, Issue, Pull

if TYPE_CHECKING:
    from tests.github_server.hub import Hub
    from tests.github_server.request import Request

PATH = "/api/graphql"
WANTED = re.compile(r"(\w+): issueOrPullRequest\(number: (\d+)\)")
CLOSES = re.compile(r"(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?) #(\d+)")
PAGE = 50


def answer(hub: Hub, request: Request) -> Answer:
    """Answer a query. GraphQL refuses requests without a token, and reports its rate limit with status 200."""
    from tests.github_server.service import take_fault

    with hub.lock:
        hub.requests.append(request)
        response = take_fault(hub, request) or _answer(hub, request)
        request.status = response.status
        return response


def _answer(hub: Hub, request: Request) -> Answer:
    from tests.github_server.service import quota

    token = hub.tokens.get(request.token)
    if token is None:
        return Refused(401, "Bad credentials" if request.token else "Requires authentication").answer
    limit = quota(hub, token)
    if limit.remaining == 0:
        error = {"type": "RATE_LIMITED", "message": f"API rate limit exceeded for user ID {token.user.id}."}
        return Answer(200, {"errors": [error]})
    limit.remaining -= 1
    body = json.loads(request.data)
    given = body["variables"]
    repo = hub.repos.get(f"{given['owner']}/{given['name']}".lower())
    if repo is None or not repo.has_access(token.user.login, "read"):
        error = {"type": "NOT_FOUND", "path": ["repository"], "message": "Could not resolve to a Repository."}
        return Answer(200, {"data": {"repository": None}, "errors": [error]})
    items, errors = {}, []
    for alias, number in WANTED.findall(body["query"]):
        issue = repo.numbered.get(int(number))
        items[alias] = _item(issue, int(given.get("after") or 0)) if issue and not issue.gone else None
        if items[alias] is None:
            message = f"Could not resolve to an issue or pull request with the number of {number}."
            errors.append({"type": "NOT_FOUND", "path": ["repository", alias], "message": message})
    return Answer(200, {"data": {"repository": items}, **({"errors": errors} if errors else {})})


def _item(issue: Issue, after: int) -> dict[str, Any]:
    renames = [event for event in issue.events if event["event"] == "renamed"]
    item = {
        "__typename": "PullRequest" if isinstance(issue, Pull) else "Issue",
        "number": issue.number,
        "title": issue.title,
        **_text(issue),
        "timelineItems": {
            "pageInfo": {"hasNextPage": False},
            "nodes": [{"createdAt": one["created_at"], "previousTitle": one["rename"]["from"]} for one in renames],
        },
        "comments": {
            "pageInfo": {"hasNextPage": len(issue.comments) > after + PAGE, "endCursor": str(after + PAGE)},
            "nodes": [_text(comment) for comment in issue.comments[after : after + PAGE]],
        },
    }
    if isinstance(issue, Pull):
        closed = [{"number": int(number)} for number in CLOSES.findall(issue.body or "")]
        item |= {"mergedAt": issue.merged_at, "closingIssuesReferences": {"nodes": closed}}
    return item


def _text(thread: Issue | Comment) -> dict[str, Any]:
    edits = [{"editedAt": at, "diff": body} for at, body in reversed(thread.edits)]
    return {
        "body": thread.body or "",
        "createdAt": thread.at,
        "lastEditedAt": thread.edits[-1][0] if thread.edits else None,
        "userContentEdits": {"nodes": edits} if edits else None,
    }
