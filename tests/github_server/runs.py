"""Runs of workflows."""

from __future__ import annotations

from tests.github_server import shapes
from tests.github_server.filling import filled
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route


@route("GET", REPO + "/actions/runs/{run_id}", "actions=read")
def run(call: Call) -> Answer:
    repo, number = call.repo, int(call.parts["run_id"])
    if number not in repo.runs:
        raise Refused(404)
    of, base = shapes.repository(repo, "minimal-repository"), f"{repo.api}/actions/runs/{number}"
    known = {
        "id": number,
        "node_id": shapes.node("WorkflowRun", number),
        "run_number": 1,
        "event": "issues",
        "status": "completed",
        "conclusion": "success",
        "head_branch": repo.default_branch,
        "head_sha": repo.sha(f"refs/heads/{repo.default_branch}"),
        "html_url": f"{repo.url}/actions/runs/{number}",
        "repository": of,
        "head_repository": of,
        "display_title": "swe-agent",
        **repo.runs[number],
    }
    return Answer(200, filled("workflow-run", {"updated_at": known["created_at"], **known}, base))
