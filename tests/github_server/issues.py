"""Issues, what is said on them, their labels and what happened to them."""

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
def listed(call: Call) -> Answer:
    query, repo = call.request.query, call.repo
    if not repo.has_issues:
        raise Refused(410, "Issues has been disabled in this repository.")
    wanted = set(filter(None, query.get("labels", "").split(",")))
    found = [
        one
        for one in repo.numbered.values()
        if not one.gone
        and query.get("state", "open") in ("all", one.state)
        and wanted <= set(one.labels)
        and query.get("creator", one.author.login) == one.author.login
        and one.edited >= query.get("since", "")
    ]
    return call.page(ordered(found, query), shapes.issue)


def ordered(found: list[Any], query: Any) -> list[Any]:
    """As `sort` and `direction` ask; newest first by default, as where issues are listed."""
    by = {"updated": lambda one: one.edited, "comments": lambda one: len(one.comments)}
    key = by.get(query.get("sort", ""), lambda one: (one.at, one.id))
    return sorted(found, key=key, reverse=query.get("direction", "desc") == "desc")


@route("POST", REPO + "/issues", "issues=write")
def opened(call: Call) -> Answer:
    body = call.body
    if not str(body.get("title", "")).strip():
        raise Refused(422, "", {"resource": "Issue", "code": "missing_field", "field": "title"})
    made = call.repo.issue(
        str(body["title"]), body.get("body"), author=call.me, labels=names_of(body.get("labels", ()))
    )
    return Answer(201, shapes.issue(made))


@route("GET", ISSUE, *READ)
def one_issue(call: Call) -> Answer:
    return Answer(200, shapes.issue(call.issue()))


@route("PATCH", ISSUE, *WRITE)
def edited(call: Call) -> Answer:
    one, body = call.issue(), call.body
    if one.author.login != call.me and not access.pushes(call.token, call.repo):
        raise Refused(403, "Must have admin rights to Repository.")
    if len(body.get("body") or "") > MOST:
        raise Refused(422, "", {"resource": "Issue", **TOO_LONG})
    one.edit(title=body.get("title"), body=body.get("body"))
    if "labels" in body:
        one.labels[:] = names_of(body["labels"])
    if body.get("state") == "closed" and one.state == "open":
        one.close(body.get("state_reason", "completed"), call.me)
    if body.get("state") == "open":
        one.reopen()
    return Answer(200, shapes.issue(one))


@route("PUT", ISSUE + "/lock", *WRITE)
def lock(call: Call) -> Answer:
    call.must_push()
    call.issue().lock()
    return Answer(204)


@route("DELETE", ISSUE + "/lock", *WRITE)
def unlock(call: Call) -> Answer:
    call.must_push()
    call.issue().locked = False
    return Answer(204)


@route("GET", REPO + "/issues/comments", *READ)
def all_comments(call: Call) -> Answer:
    since = call.request.query.get("since", "")
    found = [said for one in call.repo.numbered.values() for said in one.comments if said.edited >= since]
    query = {"direction": "asc", **call.request.query}
    return call.page(
        sorted(ordered(found, query), key=lambda said: said.id) if "sort" not in query else ordered(found, query),
        shapes.comment,
    )


@route("GET", ISSUE + "/comments", *READ)
def comments(call: Call) -> Answer:
    since = call.request.query.get("since", "")
    return call.page([said for said in call.issue().comments if said.edited >= since], shapes.comment)


@route("POST", ISSUE + "/comments", *WRITE)
def commented(call: Call) -> Answer:
    one = call.issue()
    if one.locked and not access.pushes(call.token, call.repo):
        raise Refused(403, "Unable to create comment because issue is locked.")
    text = checked_body(call, "IssueComment")
    return Answer(201, shapes.comment(one.comment(call.me, text)))


def checked_body(call: Call, resource: str) -> str:
    """The words of a comment. Raises Refused for none and for too many."""
    text = str(call.body.get("body") or "")
    if not text.strip():
        raise Refused(422, "", {"resource": resource, "code": "missing_field", "field": "body"})
    if len(text) > MOST:
        raise Refused(422, "", {"resource": resource, **TOO_LONG})
    return text


@route("GET", COMMENT, *READ)
def one_comment(call: Call) -> Answer:
    return Answer(200, shapes.comment(_comment(call)))


@route("PATCH", COMMENT, *WRITE)
def comment_edited(call: Call) -> Answer:
    said = own(call, _comment(call))
    said.edit(checked_body(call, "IssueComment"))
    return Answer(200, shapes.comment(said))


@route("DELETE", COMMENT, *WRITE)
def comment_deleted(call: Call) -> Answer:
    own(call, _comment(call)).delete()
    return Answer(204)


def own(call: Call, said: Any) -> Any:
    """Raises Refused for somebody else's words, but for those who may write to the repository."""
    if said.author.login != call.me and not access.pushes(call.token, call.repo):
        raise Refused(403, "Must have admin rights to Repository.")
    return said


def _comment(call: Call) -> Comment:
    number = int(call.parts["comment_id"])
    for one in call.repo.numbered.values():
        for said in one.comments:
            if said.id == number:
                call.right_for(one)
                return said
    raise Refused(404)


@route("POST", ISSUE + "/reactions", *WRITE)
def reacted(call: Call) -> Answer:
    return react(call, call.issue())


@route("POST", COMMENT + "/reactions", *WRITE)
def comment_reacted(call: Call) -> Answer:
    return react(call, _comment(call))


def react(call: Call, to: Issue | Comment) -> Answer:
    """A reaction; the same one again changes nothing."""
    given = (call.hub.user(call.me), str(call.body.get("content")))
    status = 200 if given in to.reactions else 201
    if status == 201:
        to.reactions.append(given)
    at = call.hub.time()
    who = shapes.user(given[0], call.hub)
    return Answer(status, {"id": call.hub.next(), "node_id": "R", "user": who, "content": given[1], "created_at": at})


def names_of(given: Any) -> list[str]:
    return [str(one["name"] if isinstance(one, dict) else one) for one in given]
