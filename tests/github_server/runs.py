"""Workflow runs."""

from __future__ import annotations

from tests.github_server import shapes
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.schema_defaults import with_defaults


@route("GET", REPO + "/actions/runs/{run_id}", "actions=read")
def get_run(call: Call) -> Answer:
    repo, number = call.repo, int(call.parts["run_id"])
    if number not in repo.runs:
        raise Refused(404)
    repository, base = shapes.repository(repo, "minimal-repository"), f"{repo.api}/actions/runs/{number}"
    fields = {
        "id": number,
        "node_id": shapes.node("WorkflowRun", number),
        "run_number": 1,
        "event": "issues",
        "status": "completed",
        "conclusion": "success",
        "head_branch": repo.default_branch,
        "head_sha": repo.sha(f"refs/heads/{repo.default_branch}"),
        "html_url": f"{repo.url}/actions/runs/{number}",
        "repository": repository,
        "head_repository": repository,
        "display_title": "swe-agent",
        **repo.runs[number],
    }
    return Answer(200, with_defaults("workflow-run", {"updated_at": fields["created_at"], **fields}, base))
