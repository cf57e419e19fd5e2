"""Check runs."""

from __future__ import annotations

from tests.github_server import shapes
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.schema_defaults import with_defaults


@route("POST", REPO + "/check-runs", "checks=write")
def create_check_run(call: Call) -> Answer:
    repo, body = call.repo, call.body
    if not repo.sha(str(body.get("head_sha", ""))):
        raise Refused(422, f"No commit found for SHA: {body.get('head_sha')}")
    repo.checks.append(body)
    number = call.hub.next()
    output = {"annotations_count": 0, "annotations_url": f"{repo.api}/check-runs/{number}/annotations", "text": None}
    fields = {
        "id": number,
        "node_id": shapes.node("CheckRun", number),
        "started_at": call.hub.time(),
        "completed_at": call.hub.time(),
        "pull_requests": [],
        "check_suite": {"id": number},
        "app": None,
        "external_id": "",
        **body,
        "html_url": f"{repo.url}/runs/{number}",
        "output": output | body.get("output", {}),
    }
    return Answer(201, with_defaults("check-run", fields, f"{repo.api}/check-runs/{number}"))
