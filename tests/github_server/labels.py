"""Labels of a repository and of an issue."""

from __future__ import annotations

from tests.github_server import shapes
from tests.github_server.issues import ISSUE, READ, WRITE, names_of
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route


@route("GET", REPO + "/labels", "issues=read", "pull_requests=read")
def list_labels(call: Call) -> Answer:
    return call.page(sorted(call.repo.labels), lambda name: shapes.label(call.repo, name))


@route("GET", REPO + "/labels/{name}", "issues=read", "pull_requests=read")
def get_label(call: Call) -> Answer:
    if call.parts["name"] not in call.repo.labels:
        raise Refused(404)
    return Answer(200, shapes.label(call.repo, call.parts["name"]))


@route("POST", REPO + "/labels", *WRITE)
def create_label(call: Call) -> Answer:
    call.require_push_access()
    name = str(call.body["name"])
    if name in call.repo.labels:
        raise Refused(422, "", {"resource": "Label", "code": "already_exists", "field": "name"})
    call.repo.labels[name] = str(call.body.get("color", "ededed"))
    return Answer(201, shapes.label(call.repo, name))


@route("GET", ISSUE + "/labels", *READ)
def list_issue_labels(call: Call) -> Answer:
    return call.page(call.issue().labels, lambda name: shapes.label(call.repo, name))


@route("POST", ISSUE + "/labels", *WRITE)
def add_labels(call: Call) -> Answer:
    call.require_push_access()
    issue, body = call.issue(), call.request.body
    for name in names_of(body["labels"] if isinstance(body, dict) else body):
        call.repo.labels.setdefault(name, "ededed")
        issue.label(name, call.me)
    return Answer(200, [shapes.label(call.repo, name) for name in issue.labels])


@route("DELETE", ISSUE + "/labels/{name}", *WRITE)
def remove_label(call: Call) -> Answer:
    call.require_push_access()
    issue = call.issue()
    if call.parts["name"] not in issue.labels:
        raise Refused(404, "Label does not exist")
    issue.unlabel(call.parts["name"])
    return Answer(200, [shapes.label(call.repo, name) for name in issue.labels])
