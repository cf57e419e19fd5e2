"""Users, tokens, repositories, permissions and search."""

from __future__ import annotations

import re
from typing import Any

from tests.github_server import shapes
from tests.github_server.access import allows
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.schema_defaults import with_defaults
from tests.github_server.service import quota
from tests.github_server.state import Repo
from tests.github_server.threads import Issue, Pull

REPO = "/repos/{owner}/{repo}"
BASE_ROLES = {"read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin", "none": "none"}


@route("GET", "/rate_limit")
def get_rate_limit(call: Call) -> Answer:
    limit = quota(call.hub, call.token)
    rate = {"limit": limit.limit, "remaining": limit.remaining, "reset": limit.reset, "used": limit.used}
    return Answer(200, {"resources": {"core": rate, "search": rate}, "rate": rate})


@route("GET", "/user", "metadata=read")
def get_user(call: Call) -> Answer:
    assert call.token is not None
    if call.token.app:
        raise Refused(403, "Resource not accessible by integration")
    return Answer(200, _user(call, call.me))


@route("GET", "/users/{username}")
def get_user_by_login(call: Call) -> Answer:
    return Answer(200, _user(call, call.parts["username"]))


def _user(call: Call, login: str) -> Any:
    user = call.hub.users.get(login)
    if user is None or user.deleted:
        raise Refused(404)
    fields = {
        **(shapes.user(user, call.hub) or {}),
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
    }
    return with_defaults("public-user", fields, fields["url"])


@route("GET", "/installation/repositories", "metadata=read")
def list_installation_repositories(call: Call) -> Answer:
    if not (call.token and call.token.app):
        raise Refused(
            403,
            "You must authenticate with an installation access token in order to list repositories "
            "for an installation.",
        )
    repositories = [shapes.repository(repo, "repository") for repo in call.hub.repos.values()]
    return Answer(200, {"total_count": len(repositories), "repositories": repositories})


@route("GET", REPO, "metadata=read")
def get_repository(call: Call) -> Answer:
    fields = shapes.repository(call.repo)
    if call.token:
        fields["permissions"] = rights(call.repo, call.me)
        if call.token.app:
            fields["permissions"] |= {"pull": True, "push": allows(call.token, "contents=write")}
    if call.repo.parent:
        fields |= dict.fromkeys(("parent", "source"), shapes.repository(call.repo.parent, "repository"))
    return Answer(200, fields)


def rights(repo: Repo, login: str) -> dict[str, bool]:
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    return {name: repo.has_access(login, level) for name, level in names.items()}


@route("GET", REPO + "/collaborators/{username}/permission", "metadata=read")
def get_permission(call: Call) -> Answer:
    call.require_push_access("Must have push access to view collaborator permission.")
    login = call.parts["username"]
    user = call.hub.users.get(login)
    if user is None or user.deleted or user.login.endswith("[bot]"):
        raise Refused(404, f"{login} is not a user")
    role = call.repo.level(login)
    user_fields = {**(shapes.user(user, call.hub) or {}), "role_name": role, "permissions": rights(call.repo, login)}
    return Answer(200, {"permission": BASE_ROLES[role], "role_name": role, "user": user_fields})


@route("GET", REPO + "/actions/permissions/workflow", "administration=read")
def get_workflow_permissions(call: Call) -> Answer:
    return Answer(
        200,
        {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": call.repo.actions_may_open_pulls,
        },
    )


@route("GET", "/search/issues")
def search_issues(call: Call) -> Answer:
    """Search for words, `repo:`, `is:`, `state:`, `author:`, `head:` and `label:`."""
    words = re.findall(r'[\w-]+:"[^"]*"|"[^"]*"|\S+', call.request.query.get("q", ""))
    matches = [
        issue
        for repo in call.hub.repos.values()
        if not repo.private or (call.token and (call.token.app or repo.has_access(call.me, "read")))
        for issue in repo.numbered.values()
        if not issue.gone and all(_matches(issue, *word.partition(":")[::2]) for word in words)
    ]
    matches.sort(key=lambda issue: issue.at, reverse=True)
    items = call.page(matches, lambda issue: {**shapes.issue(issue, "issue-search-result-item"), "score": 1.0})
    body = {"total_count": len(matches), "incomplete_results": False, "search_type": "lexical", "items": items.body}
    return Answer(200, body, items.headers)


def _matches(issue: Issue, name: str, value: str) -> bool:
    value = value.strip('"')
    is_pull = isinstance(issue, Pull)
    tests = {
        "repo": issue.repo.full_name.lower() == value.lower(),
        "author": issue.author.login == re.sub(r"^app/(.+)", r"\1[bot]", value),
        "label": value in issue.labels,
        "head": isinstance(issue, Pull) and issue.head.startswith(value),
        "base": isinstance(issue, Pull) and issue.base == value,
        "state": issue.state == value,
        "type": is_pull == (value == "pr"),
        "in": True,
        "sort": True,
        "is": {
            "pr": is_pull,
            "pull-request": is_pull,
            "issue": not is_pull,
            "open": issue.state == "open",
            "closed": issue.state == "closed",
        }.get(value, True),
    }
    return tests[name] if name in tests else name.strip('"').lower() in f"{issue.title}\n{issue.body}".lower()
