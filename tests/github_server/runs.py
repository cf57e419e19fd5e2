"""Workflow runs, their jobs, and the logs of jobs."""

from __future__ import annotations

from typing import Any

from tests.github_server import shapes
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.schema_defaults import with_defaults
from tests.github_server.state import Repo

RUNS, JOBS = REPO + "/actions/runs", REPO + "/actions/jobs"
NEEDS = "actions=read"


@route("GET", RUNS + "/{run_id}", NEEDS)
def get_run(call: Call) -> Answer:
    return Answer(200, _run(call.repo, _number(call, "run_id", call.repo.runs)))


@route("GET", RUNS, NEEDS)
def list_runs(call: Call) -> Answer:
    commit, wanted = call.request.query.get("head_sha", ""), call.request.query.get("status", "")
    runs = [_run(call.repo, number) for number in sorted(call.repo.runs, reverse=True)]
    found = [
        run for run in runs if commit in ("", run["head_sha"]) and wanted in ("", run["status"], run["conclusion"])
    ]
    page = call.page(found)
    return Answer(200, {"total_count": len(found), "workflow_runs": page.body}, page.headers)


@route("GET", RUNS + "/{run_id}/jobs", NEEDS)
def list_jobs(call: Call) -> Answer:
    number = _number(call, "run_id", call.repo.runs)
    jobs = [_job(call.repo, job) for job, fields in call.repo.jobs.items() if fields["run_id"] == number]
    page = call.page(jobs)
    return Answer(200, {"total_count": len(jobs), "jobs": page.body}, page.headers)


@route("GET", JOBS + "/{job_id}", NEEDS)
def get_job(call: Call) -> Answer:
    return Answer(200, _job(call.repo, _number(call, "job_id", call.repo.jobs)))


@route("GET", JOBS + "/{job_id}/logs", NEEDS)
def get_log(call: Call) -> Answer:
    """Redirect to the storage that has the log; the link is signed, so it needs no token."""
    number = _number(call, "job_id", call.repo.jobs)
    if call.token is None:
        raise Refused(403, "Must have admin rights to Repository.")
    if not (log := call.repo.jobs[number]["log"]):
        raise Refused(410, "The logs for this run have expired and are no longer available.")
    return Answer(302, raw=b"", headers={"Location": log, "Content-Type": "text/html"}, from_proxy=True)


def _number(call: Call, name: str, known: dict[int, dict[str, Any]]) -> int:
    number = int(call.parts[name])
    if number not in known:
        raise Refused(404)
    return number


def _run(repo: Repo, number: int) -> Any:
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
    return with_defaults("workflow-run", {"updated_at": fields["created_at"], **fields}, base)


def _job(repo: Repo, number: int) -> Any:
    given = {name: value for name, value in repo.jobs[number].items() if name != "log"}
    run = _run(repo, given["run_id"])
    fields = {
        "id": number,
        "node_id": shapes.node("CheckRun", number),
        "run_url": run["url"],
        "head_sha": run["head_sha"],
        "head_branch": run["head_branch"],
        "workflow_name": "CI",
        "html_url": f"{run['html_url']}/job/{number}",
        "status": "completed",
        "conclusion": "failure",
        "started_at": run["created_at"],
        "completed_at": run["created_at"],
        "created_at": run["created_at"],
        **given,
    }
    return with_defaults("job", fields, f"{repo.api}/actions/jobs/{number}")
