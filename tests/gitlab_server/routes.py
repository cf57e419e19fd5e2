"""The operations of the API that the fake server answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from tests.github_server.objects import git
from tests.github_server.request import Answer, Request
from tests.gitlab_server.description import violations
from tests.gitlab_server.state import GitLab, Issue, MergeRequest, Note, Project

API = "/api/v4"
Handler = Callable[[GitLab, Request, Project, dict[str, str]], Any]
ROUTES: list[tuple[str, str, re.Pattern[str], Handler]] = []


class Refused(Exception):
    """GitLab refuses the request."""

    def __init__(self, status: int, message: Any) -> None:
        super().__init__(status, message)
        self.answer = Answer(status, {"message": message})


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Register the handler of an operation on a project, by its path in the description."""

    def register(handler: Handler) -> Handler:
        expression = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern)))
        ROUTES.append((method, pattern, expression, handler))
        return handler

    return register


def answer(server: GitLab, request: Request) -> Answer:
    if (request.method, request.path) == ("GET", "/user"):
        user = server.tokens.get(request.token, "")
        sent = Answer(200, _user(server, user)) if user else Answer(401, {"message": "401 Unauthorized"})
        server.violations += violations(request, sent, f"{API}/user", {})
        return sent
    for method, pattern, expression, handler in ROUTES:
        if request.method == method and (match := expression.fullmatch(request.path)):
            parts = {name: unquote(value) for name, value in match.groupdict().items()}
            sent = _fault(server, request) or _handled(server, request, handler, parts)
            found = violations(request, sent, f"{API}{pattern}", parts)
            server.violations += [f"{method} {request.path}: {violation}" for violation in found]
            return sent
    server.violations.append(f"{request.method} {request.path}: no such operation")
    return Answer(404, {"error": "404 Not Found"})


def _fault(server: GitLab, request: Request) -> Answer | None:
    for fault in server.faults:
        if fault.times > 0 and fault.method in (request.method, "*") and fault.path.search(request.path):
            fault.times -= 1
            return fault.answer
    return None


def _handled(server: GitLab, request: Request, handler: Handler, parts: dict[str, str]) -> Answer:
    user = server.tokens.get(request.token, "")
    if request.token and not user:
        return Answer(401, {"message": "401 Unauthorized"})
    project, has_moved = server.find(parts["id"])
    if project is None or (project.private and not project.members.get(user)):
        return Answer(404, {"message": "404 Project Not Found"})
    if has_moved:
        there = request.path.replace(request.path.split("/")[2], str(project.id), 1)
        return Answer(301, {"message": "301 Moved Permanently"}, {"Location": f"{server.url}{API}{there}"})
    if request.method != "GET" and not user:
        return Answer(401, {"message": "401 Unauthorized"})
    try:
        body = handler(server, request, project, parts)
    except Refused as refused:
        return refused.answer
    if isinstance(body, bytes):
        return Answer(200, raw=body, headers={"Content-Type": "application/octet-stream"})
    if isinstance(body, list) and "page" in request.query:
        page, length = int(request.query["page"]), int(request.query.get("per_page", 20))
        more = str(page + 1) if len(body) > page * length else ""
        return Answer(200, body[(page - 1) * length : page * length], {"X-Next-Page": more})
    return Answer(201 if request.method == "POST" else 200, body)


@route("GET", "/projects/{id}")
def _project(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    user = server.tokens.get(request.token, "")
    access = {"access_level": project.members[user], "notification_level": 3} if user in project.members else None
    return {
        **_basic_project(project),
        "archived": project.archived,
        "merge_requests_enabled": project.accepts_merge_requests,
        "can_create_merge_request_in": bool(user) and project.accepts_merge_requests and not project.archived,
        "permissions": {"project_access": access, "group_access": None},
        **({"forked_from_project": _basic_project(project.parent)} if project.parent else {}),
    }


@route("GET", "/projects/{id}/issues/{issue_iid}")
def _issue(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    issue = _issue_of(server, request, project, parts["issue_iid"])
    return {
        "id": 5000 + issue.iid,
        "iid": issue.iid,
        "project_id": project.id,
        "title": issue.title,
        "description": issue.body,
        "state": "opened",
        "created_at": issue.at,
        "updated_at": issue.at,
        "labels": list(issue.labels),
        "author": _user(server, issue.author),
        "type": "ISSUE",
        "issue_type": "issue",
        "user_notes_count": len(issue.notes),
        "confidential": issue.confidential,
        "web_url": issue.url,
        "moved_to_id": issue.moved_to,
    }


@route("GET", "/projects/{id}/issues/{noteable_id}/notes")
def _notes(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    issue = _issue_of(server, request, project, parts["noteable_id"])
    may_read = project.members.get(server.tokens.get(request.token, ""), 0) >= 20
    return [_note(server, issue, note) for note in issue.notes if may_read or not note.internal]


@route("POST", "/projects/{id}/issues/{noteable_id}/notes")
def _create_note(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    issue = _issue_of(server, request, project, parts["noteable_id"])
    return _note(server, issue, issue.note(server.tokens[request.token], request.body["body"]))


@route("PUT", "/projects/{id}/issues/{noteable_id}/notes/{note_id}")
def _edit_note(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    issue = _issue_of(server, request, project, parts["noteable_id"])
    note = next((note for note in issue.notes if str(note.id) == parts["note_id"]), None)
    if note is None:
        raise Refused(404, "404 Note Not Found")
    if note.author != server.tokens[request.token]:
        raise Refused(403, "403 Forbidden")
    note.body = request.body["body"]
    return _note(server, issue, note)


@route("GET", "/projects/{id}/issues/{issue_iid}/related_merge_requests")
def _related(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    issue = _issue_of(server, request, project, parts["issue_iid"])
    mention = re.compile(rf"#{issue.iid}\b")
    return [
        _merge_request(server, each)
        for there in server.projects
        for each in there.merge_requests
        if mention.search(each.body)
    ]


@route("GET", "/projects/{id}/members/all")
def _members(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    return [{**_user(server, name), "access_level": level} for name, level in project.members.items()]


@route("GET", "/projects/{id}/uploads/{secret}/{filename}")
def _upload(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    if (data := project.uploads.get(f"{parts['secret']}/{parts['filename']}")) is None:
        raise Refused(404, "404 Not Found")
    return data


@route("GET", "/projects/{id}/repository/merge_base")
def _merge_base(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    refs = request.lists["refs[]"]
    if not all(git(project.git, "rev-parse", "--verify", f"{each}^{{commit}}", check=False) for each in refs):
        raise Refused(404, "404 Ref Not Found")
    if not (common := git(project.git, "merge-base", *refs, check=False).strip()):
        raise Refused(404, "404 Merge Base Not Found")
    return {
        "id": common,
        "short_id": common[:8],
        "title": git(project.git, "show", "-s", "--format=%s", common).strip(),
    }


@route("GET", "/projects/{id}/merge_requests")
def _merge_requests(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    query = request.query
    return [
        _merge_request(server, each)
        for each in reversed(project.merge_requests)
        if query.get("state", "all") in ("all", each.state)
        and query.get("source_branch", each.source_branch) == each.source_branch
        and query.get("source_project_id", str(each.source.id)) == str(each.source.id)
    ]


@route("POST", "/projects/{id}/merge_requests")
def _create_merge_request(server: GitLab, request: Request, project: Project, parts: dict[str, str]) -> Any:
    user, body = server.tokens[request.token], request.body
    target, _ = server.find(str(body.get("target_project_id", project.id)))
    if target is None or not project.may_push(user) or not target.accepts_merge_requests:
        raise Refused(403, "403 Forbidden")
    branch = body["source_branch"]
    if not git(project.git, "rev-parse", "--verify", f"refs/heads/{branch}", check=False):
        raise Refused(400, {"source_branch": ["does not exist"]})
    same = (each for each in target.merge_requests if each.source_branch == branch and each.state == "opened")
    if there := next(same, None):
        raise Refused(409, [f"Another open merge request already exists for this source branch: !{there.iid}"])
    made = target.merge_request(
        branch, body["title"], body.get("description", ""), user, project, body["target_branch"]
    )
    return _merge_request(server, made)


def _issue_of(server: GitLab, request: Request, project: Project, iid: str) -> Issue:
    user = server.tokens.get(request.token, "")
    issue = next((each for each in project.issues if str(each.iid) == iid), None)
    if issue is None or (issue.confidential and not project.members.get(user)):
        raise Refused(404, "404 Not found")
    return issue


def _user(server: GitLab, name: str) -> dict[str, Any]:
    return {
        "id": server.user_id(name),
        "username": name,
        "name": name.title(),
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{server.url}/{name}",
    }


def _basic_project(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.path.rpartition("/")[2],
        "path": project.path.rpartition("/")[2],
        "path_with_namespace": project.path,
        "default_branch": "main",
        "http_url_to_repo": f"{project.url}.git",
        "web_url": project.url,
        "visibility": "private" if project.private else "public",
    }


def _note(server: GitLab, issue: Issue, note: Note) -> dict[str, Any]:
    return {
        "id": note.id,
        "body": note.body,
        "author": _user(server, note.author),
        "created_at": note.at,
        "updated_at": note.at,
        "system": note.system,
        "noteable_id": 5000 + issue.iid,
        "noteable_type": "Issue",
        "noteable_iid": issue.iid,
        "confidential": note.internal,
        "internal": note.internal,
    }


def _merge_request(server: GitLab, request: MergeRequest) -> dict[str, Any]:
    return {
        "id": 9000 + request.iid,
        "iid": request.iid,
        "project_id": request.project.id,
        "title": request.title,
        "description": request.body,
        "state": request.state,
        "created_at": request.at,
        "updated_at": request.at,
        "target_branch": request.target_branch,
        "source_branch": request.source_branch,
        "source_project_id": request.source.id,
        "target_project_id": request.project.id,
        "author": _user(server, request.author),
        "labels": [],
        "draft": request.title.startswith("Draft:"),
        "web_url": request.url,
    }
