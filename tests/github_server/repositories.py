"""Users, tokens, repositories, who may do what there, and searching."""

from __future__ import annotations

import re
from typing import Any

from tests.github_server import shapes
from tests.github_server.access import allows
from tests.github_server.filling import filled
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.service import quota
from tests.github_server.state import Repo
from tests.github_server.threads import Issue, Pull

REPO = "/repos/{owner}/{repo}"
WHOLE = {"read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin", "none": "none"}


@route("GET", "/rate_limit")
def rate_limit(call: Call) -> Answer:
    mine = quota(call.hub, call.token)
    rate = {"limit": mine.limit, "remaining": mine.remaining, "reset": mine.reset, "used": mine.used}
    return Answer(200, {"resources": {"core": rate, "search": rate}, "rate": rate})


@route("GET", "/user", "metadata=read")
def me(call: Call) -> Answer:
    assert call.token is not None
    if call.token.app:
        raise Refused(403, "Resource not accessible by integration")
    return Answer(200, _user(call, call.me))


@route("GET", "/users/{username}")
def user(call: Call) -> Answer:
    return Answer(200, _user(call, call.parts["username"]))


def _user(call: Call, login: str) -> Any:
    who = call.hub.users.get(login)
    if who is None or who.deleted:
        raise Refused(404)
    known = {
        **(shapes.user(who, call.hub) or {}),
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
    }
    return filled("public-user", known, known["url"])


@route("GET", "/installation/repositories", "metadata=read")
def installed(call: Call) -> Answer:
    if not (call.token and call.token.app):
        raise Refused(
            403,
            "You must authenticate with an installation access token in order to list repositories "
            "for an installation.",
        )
    found = [shapes.repository(repo, "repository") for repo in call.hub.repos.values()]
    return Answer(200, {"total_count": len(found), "repositories": found})


@route("GET", REPO, "metadata=read")
def repository(call: Call) -> Answer:
    found = shapes.repository(call.repo)
    if call.token:
        found["permissions"] = rights(call.repo, call.me)
        if call.token.app:
            found["permissions"] |= {"pull": True, "push": allows(call.token, "contents=write")}
    if call.repo.parent:
        found |= dict.fromkeys(("parent", "source"), shapes.repository(call.repo.parent, "repository"))
    return Answer(200, found)


def rights(repo: Repo, login: str) -> dict[str, bool]:
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    return {name: repo.may(login, level) for name, level in names.items()}


@route("GET", REPO + "/collaborators/{username}/permission", "metadata=read")
def permission(call: Call) -> Answer:
    call.must_push("Must have push access to view collaborator permission.")
    login = call.parts["username"]
    who = call.hub.users.get(login)
    if who is None or who.deleted or who.login.endswith("[bot]"):
        raise Refused(404, f"{login} is not a user")
    role = call.repo.level(login)
    about = {**(shapes.user(who, call.hub) or {}), "role_name": role, "permissions": rights(call.repo, login)}
    return Answer(200, {"permission": WHOLE[role], "role_name": role, "user": about})


@route("GET", REPO + "/actions/permissions/workflow", "administration=read")
def workflow_permissions(call: Call) -> Answer:
    return Answer(
        200,
        {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": call.repo.actions_may_open_pulls,
        },
    )


@route("GET", "/search/issues")
def search(call: Call) -> Answer:
    """Words, and `repo:`, `is:`, `state:`, `author:`, `head:`, `label:`."""
    words = re.findall(r'[\w-]+:"[^"]*"|"[^"]*"|\S+', call.request.query.get("q", ""))
    found = [
        one
        for repo in call.hub.repos.values()
        if not repo.private or (call.token and (call.token.app or repo.may(call.me, "read")))
        for one in repo.numbered.values()
        if not one.gone and all(_fits(one, *word.partition(":")[::2]) for word in words)
    ]
    found.sort(key=lambda one: one.at, reverse=True)
    items = call.page(found, lambda one: {**shapes.issue(one, "issue-search-result-item"), "score": 1.0})
    body = {"total_count": len(found), "incomplete_results": False, "search_type": "lexical", "items": items.body}
    return Answer(200, body, items.headers)


def _fits(one: Issue, name: str, value: str) -> bool:
    value = value.strip('"')
    is_pull = isinstance(one, Pull)
    tests = {
        "repo": one.repo.full_name.lower() == value.lower(),
        "author": one.author.login == re.sub(r"^app/(.+)", r"\1[bot]", value),
        "label": value in one.labels,
        "head": isinstance(one, Pull) and one.head.startswith(value),
        "base": isinstance(one, Pull) and one.base == value,
        "state": one.state == value,
        "type": is_pull == (value == "pr"),
        "in": True,
        "sort": True,
        "is": {
            "pr": is_pull,
            "pull-request": is_pull,
            "issue": not is_pull,
            "open": one.state == "open",
            "closed": one.state == "closed",
        }.get(value, True),
    }
    return tests[name] if name in tests else name.strip('"').lower() in f"{one.title}\n{one.body}".lower()
