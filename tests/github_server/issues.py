"""Issues and their comments, labels and reactions."""

from __future__ import annotations

from typing import Any

from tests.github_server import access, shapes
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.threads import Comment, Issue

ISSUE, COMMENT = REPO + "/issues/{issue_number}", REPO + "/issues/comments/{comment_id}"
READ, WRITE = ("issues=read", "pull_requests=read"), ("issues=write", "pull_requests=write")
MOST = 65536
TOO_LONG = {"code": "custom", "field": "body", "message": f"body is too long (maximum is {MOST} characters)"}


@route("GET", REPO + "/issues", *READ)
def list_issues(call: Call) -> Answer:
    query, repo = call.request.query, call.repo
    if not repo.has_issues:
        raise Refused(410, "Issues has been disabled in this repository.")
    labels = set(filter(None, query.get("labels", "").split(",")))
    issues = [
        issue
        for issue in repo.numbered.values()
        if not issue.gone
        and query.get("state", "open") in ("all", issue.state)
        and labels <= set(issue.labels)
        and query.get("creator", issue.author.login) == issue.author.login
        and issue.edited >= query.get("since", "")
    ]
    return call.page(sort_threads(issues, query), shapes.issue)


def sort_threads(threads: list[Any], query: Any) -> list[Any]:
    """Sort by `sort` and `direction`; by default newest first, as GitHub lists issues."""
    keys = {"updated": lambda thread: thread.edited, "comments": lambda thread: len(thread.comments)}
    key = keys.get(query.get("sort", ""), lambda thread: (thread.at, thread.id))
    return sorted(threads, key=key, reverse=query.get("direction", "desc") == "desc")


@route("POST", REPO + "/issues", "issues=write")
def create_issue(call: Call) -> Answer:
    body = call.body
    if not str(body.get("title", "")).strip():
        raise Refused(422, "", {"resource": "Issue", "code": "missing_field", "field": "title"})
    issue = call.repo.issue(
        str(body["title"]), body.get("body"), author=call.me, labels=names_of(body.get("labels", ()))
    )
    return Answer(201, shapes.issue(issue))


@route("GET", ISSUE, *READ)
def get_issue(call: Call) -> Answer:
    return Answer(200, shapes.issue(call.issue()))


@route("PATCH", ISSUE, *WRITE)
def update_issue(call: Call) -> Answer:
    issue, body = call.issue(), call.body
    if issue.author.login != call.me and not access.can_push(call.token, call.repo):
        raise Refused(403, "Must have admin rights to Repository.")
    if len(body.get("body") or "") > MOST:
        raise Refused(422, "", {"resource": "Issue", **TOO_LONG})
    issue.edit(title=body.get("title"), body=body.get("body"))
    if "labels" in body:
        issue.labels[:] = names_of(body["labels"])
    if body.get("state") == "closed" and issue.state == "open":
        issue.close(body.get("state_reason", "completed"), call.me)
    if body.get("state") == "open":
        issue.reopen()
    return Answer(200, shapes.issue(issue))


@route("PUT", ISSUE + "/lock", *WRITE)
def lock_issue(call: Call) -> Answer:
    call.require_push_access()
    call.issue().lock()
    return Answer(204)


@route("DELETE", ISSUE + "/lock", *WRITE)
def unlock_issue(call: Call) -> Answer:
    call.require_push_access()
    call.issue().locked = False
    return Answer(204)


@route("GET", REPO + "/issues/comments", *READ)
def list_repository_comments(call: Call) -> Answer:
    since = call.request.query.get("since", "")
    comments = [
        comment for issue in call.repo.numbered.values() for comment in issue.comments if comment.edited >= since
    ]
    query = {"direction": "asc", **call.request.query}
    return call.page(
        sorted(sort_threads(comments, query), key=lambda comment: comment.id)
        if "sort" not in query
        else sort_threads(comments, query),
        shapes.comment,
    )


@route("GET", ISSUE + "/comments", *READ)
def list_comments(call: Call) -> Answer:
    since = call.request.query.get("since", "")
    return call.page([comment for comment in call.issue().comments if comment.edited >= since], shapes.comment)


@route("POST", ISSUE + "/comments", *WRITE)
def create_comment(call: Call) -> Answer:
    issue = call.issue()
    if issue.locked and not access.can_push(call.token, call.repo):
        raise Refused(403, "Unable to create comment because issue is locked.")
    text = checked_body(call, "IssueComment")
    return Answer(201, shapes.comment(issue.comment(call.me, text)))


def checked_body(call: Call, resource: str) -> str:
    """Return the text of a comment. Raises Refused if it is empty or too long."""
    text = str(call.body.get("body") or "")
    if not text.strip():
        raise Refused(422, "", {"resource": resource, "code": "missing_field", "field": "body"})
    if len(text) > MOST:
        raise Refused(422, "", {"resource": resource, **TOO_LONG})
    return text


@route("GET", COMMENT, *READ)
def get_comment(call: Call) -> Answer:
    return Answer(200, shapes.comment(_comment(call)))


@route("PATCH", COMMENT, *WRITE)
def update_comment(call: Call) -> Answer:
    comment = check_author(call, _comment(call))
    comment.edit(checked_body(call, "IssueComment"))
    return Answer(200, shapes.comment(comment))


@route("DELETE", COMMENT, *WRITE)
def delete_comment(call: Call) -> Answer:
    check_author(call, _comment(call)).delete()
    return Answer(204)


def check_author(call: Call, comment: Any) -> Any:
    """Return the comment. Raises Refused if the user is neither its author nor has write access."""
    if comment.author.login != call.me and not access.can_push(call.token, call.repo):
        raise Refused(403, "Must have admin rights to Repository.")
    return comment


def _comment(call: Call) -> Comment:
    number = int(call.parts["comment_id"])
    for issue in call.repo.numbered.values():
        for comment in issue.comments:
            if comment.id == number:
                call.check_right(issue)
                return comment
    raise Refused(404)


@route("POST", ISSUE + "/reactions", *WRITE)
def create_reaction(call: Call) -> Answer:
    return add_reaction(call, call.issue())


@route("POST", COMMENT + "/reactions", *WRITE)
def create_comment_reaction(call: Call) -> Answer:
    return add_reaction(call, _comment(call))


def add_reaction(call: Call, thread: Issue | Comment) -> Answer:
    """Add a reaction; repeating it changes nothing."""
    reaction = (call.hub.user(call.me), str(call.body.get("content")))
    status = 200 if reaction in thread.reactions else 201
    if status == 201:
        thread.reactions.append(reaction)
    at = call.hub.time()
    user = shapes.user(reaction[0], call.hub)
    return Answer(
        status, {"id": call.hub.next(), "node_id": "R", "user": user, "content": reaction[1], "created_at": at}
    )


def names_of(labels: Any) -> list[str]:
    return [str(label["name"] if isinstance(label, dict) else label) for label in labels]
