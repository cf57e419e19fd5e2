"""Labels, of a repository and of an issue."""

from __future__ import annotations

from tests.github_server import shapes
from tests.github_server.issues import ISSUE, READ, WRITE, names_of
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route


@route("GET", REPO + "/labels", "issues=read", "pull_requests=read")
def labels(call: Call) -> Answer:
    return call.page(sorted(call.repo.labels), lambda name: shapes.label(call.repo, name))


@route("GET", REPO + "/labels/{name}", "issues=read", "pull_requests=read")
def label(call: Call) -> Answer:
    if call.parts["name"] not in call.repo.labels:
        raise Refused(404)
    return Answer(200, shapes.label(call.repo, call.parts["name"]))


@route("POST", REPO + "/labels", *WRITE)
def label_made(call: Call) -> Answer:
    call.must_push()
    name = str(call.body["name"])
    if name in call.repo.labels:
        raise Refused(422, "", {"resource": "Label", "code": "already_exists", "field": "name"})
    call.repo.labels[name] = str(call.body.get("color", "ededed"))
    return Answer(201, shapes.label(call.repo, name))


@route("GET", ISSUE + "/labels", *READ)
def labels_of_issue(call: Call) -> Answer:
    return call.page(call.issue().labels, lambda name: shapes.label(call.repo, name))


@route("POST", ISSUE + "/labels", *WRITE)
def labelled(call: Call) -> Answer:
    call.must_push()
    one, body = call.issue(), call.request.body
    for name in names_of(body["labels"] if isinstance(body, dict) else body):
        call.repo.labels.setdefault(name, "ededed")
        one.label(name, call.me)
    return Answer(200, [shapes.label(call.repo, name) for name in one.labels])


@route("DELETE", ISSUE + "/labels/{name}", *WRITE)
def unlabelled(call: Call) -> Answer:
    call.must_push()
    one = call.issue()
    if call.parts["name"] not in one.labels:
        raise Refused(404, "Label does not exist")
    one.unlabel(call.parts["name"])
    return Answer(200, [shapes.label(call.repo, name) for name in one.labels])
