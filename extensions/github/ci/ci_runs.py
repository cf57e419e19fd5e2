"""Runs and jobs of GitHub Actions, as GitHub's API reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from extensions.github.api.github_client import translate_errors
from trajectories.errors import TryLater

if TYPE_CHECKING:
    from github.Repository import Repository

NEEDS = "actions: read"
FAILED = frozenset({"failure", "timed_out"})
"""Conclusions of a failed job. A cancelled job does not count as failed: it often is cancelled because another one
failed."""
MOST_PAGES, PAGE = 3, 100
"""Maximum number of pages of a run's jobs that are read, and the size of a page."""
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$")]
Number = Annotated[int, Field(gt=0)]


class _Answer(BaseModel):
    """A part of an object of the API; other fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Read = TypeVar("Read", bound=_Answer)


class HeadRepository(_Answer):
    full_name: str


class CiRun(_Answer):
    """A run of a workflow. `path` is the workflow's file, and `head_repository` is None if it was deleted."""

    id: Number
    workflow_id: int
    event: str
    path: str
    head_branch: str | None
    head_sha: Commit
    head_repository: HeadRepository | None
    status: str | None
    conclusion: str | None
    html_url: str
    updated_at: str


class CiStep(_Answer):
    """A step of a job. The times are ISO 8601 with a precision of one second; None if the step did not run."""

    name: str
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None


class CiJob(_Answer):
    """A job of a run."""

    id: Number
    run_id: Number
    name: str
    head_sha: Commit
    status: str | None
    conclusion: str | None
    html_url: str | None
    steps: tuple[CiStep, ...] = ()

    @property
    def failed_steps(self) -> tuple[CiStep, ...]:
        return tuple(step for step in self.steps if step.conclusion in FAILED)


class _Runs(_Answer):
    workflow_runs: tuple[CiRun, ...]


class _Jobs(_Answer):
    jobs: tuple[CiJob, ...]


def read_run(place: Repository, number: int) -> CiRun:
    """Return a run. Raises what `translate_errors` raises."""
    return _read(place, f"runs/{number}", CiRun, f"read the run {number}")


def read_job(place: Repository, number: int) -> CiJob:
    """Return a job. Raises what `translate_errors` raises."""
    return _read(place, f"jobs/{number}", CiJob, f"read the job {number}")


def failed_jobs(place: Repository, run: int) -> list[CiJob]:
    """Return the failed jobs of the last attempt of a run."""
    found: list[CiJob] = []
    for page in range(1, MOST_PAGES + 1):
        query: dict[str, Any] = {"per_page": str(PAGE), "page": str(page)}
        jobs = _read(place, f"runs/{run}/jobs", _Jobs, f"read the jobs of the run {run}", query).jobs
        found += [job for job in jobs if job.conclusion in FAILED]
        if len(jobs) < PAGE:
            break
    return found


def runs_at(place: Repository, commit: str) -> tuple[CiRun, ...]:
    """Return the latest runs at a commit, latest first."""
    query: dict[str, Any] = {"head_sha": commit, "per_page": str(PAGE)}
    return _read(place, "runs", _Runs, f"read the runs at {commit[:10]}", query).workflow_runs


def _read(place: Repository, path: str, kind: type[Read], what: str, query: dict[str, Any] | None = None) -> Read:
    with translate_errors(what, NEEDS):
        _, data = place.requester.requestJsonAndCheck("GET", f"{place.url}/actions/{path}", parameters=query)
    try:
        return kind.model_validate(data)
    except ValidationError:
        raise TryLater(f"GitHub gave an invalid answer when asked to {what}.", "Try again.") from None
