"""The failed CI jobs at a commit, with the end of their logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import one_line
from agent.inputs.github_urls import Address
from extensions.github.api.github_client import repository, translate_errors
from extensions.github.ci.ci_address import CiAddress
from extensions.github.ci.ci_log_download import LogUnavailable, read_failed_steps
from extensions.github.ci.ci_runs import FAILED, CiJob, CiRun, failed_jobs, read_job, read_run, runs_at
from trajectories.errors import TryLater, UsageError
from trajectories.records import Comment

if TYPE_CHECKING:
    from github.Repository import Repository

MOST_LOGS = 3
"""Maximum number of jobs whose logs are read: jobs of a matrix often fail for the same reason."""
LONGEST_NAME = 80
ANOTHER = "Give the URL of a run or a job that failed."
AUTHOR = "GitHub Actions"


@dataclass(frozen=True, slots=True)
class FailedChecks:
    """Failed jobs at a commit. `logs` are the ends of the logs of the first ones, which are untrusted text."""

    commit: str
    branch: str
    jobs: tuple[CiJob, ...]
    logs: tuple[Comment, ...]


def fetch_failed_checks(ci: CiAddress, secrets: Sequence[str] = ()) -> FailedChecks:
    """Return what failed in a run, in a job, or at the head of a pull request.

    Raises UsageError if nothing failed or there is no log, TryLater if CI has not ended, ConfigError without the
    permission to read it.
    """
    place = repository(ci.address)
    if ci.job:
        job = read_job(place, ci.job)
        run, jobs = read_run(place, job.run_id), [job]
        _check_failed(f"The job {job.id}", job.status, job.conclusion)
    elif ci.run:
        run = read_run(place, ci.run)
        _check_failed(f"The run {run.id}", run.status, run.conclusion)
        jobs = failed_jobs(place, run.id)
    else:
        run, jobs = _failed_at_head(place, ci.address.number)
    if not jobs:
        raise UsageError(f"No job of the run {run.id} failed.", ANOTHER)
    return FailedChecks(run.head_sha, run.head_branch or "", tuple(jobs), read_logs(ci.address, jobs, secrets))


def _failed_at_head(place: Repository, number: int) -> tuple[CiRun, list[CiJob]]:
    """Return a failed run at the head of a pull request, and the failed jobs of all of them."""
    with translate_errors(f"read #{number}", "pull-requests: read"):
        commit = place.get_pull(number).head.sha
    latest = {run.workflow_id: run for run in reversed(runs_at(place, commit))}
    failed = [run for run in latest.values() if run.status == "completed" and run.conclusion in FAILED]
    if not failed:
        is_running = any(run.status != "completed" for run in latest.values())
        _check_failed(f"CI of #{number}", "in_progress" if is_running else "completed", "success" if latest else None)
    return failed[0], [job for run in failed for job in failed_jobs(place, run.id)]


def _check_failed(what: str, status: str | None, conclusion: str | None) -> None:
    if status != "completed":
        raise TryLater(f"{what} is still running.", "Try again when it has ended.")
    if conclusion == "success":
        raise UsageError(f"{what} succeeded.", ANOTHER)
    if conclusion not in FAILED:
        raise UsageError(f"{what} did not fail{f': it is {conclusion}' if conclusion else ''}.", ANOTHER)


def job_names(jobs: Sequence[CiJob]) -> str:
    """Return the names of the first jobs, on one line."""
    names = list(dict.fromkeys(one_line(job.name)[:LONGEST_NAME] for job in jobs))
    more = f" and {len(names) - MOST_LOGS} more" if len(names) > MOST_LOGS else ""
    return f"{', '.join(names[:MOST_LOGS])}{more}"


def read_logs(address: Address, jobs: Sequence[CiJob], secrets: Sequence[str] = ()) -> tuple[Comment, ...]:
    """Return the ends of the logs of the first jobs, without logs that equal an earlier one.

    Raises LogUnavailable if none of them has a log, and what `read_failed_steps` raises.
    """
    logs: list[Comment] = []
    problem: LogUnavailable | None = None
    for job in jobs[:MOST_LOGS]:
        try:
            text = read_failed_steps(address, job, secrets)
        except LogUnavailable as error:
            problem = error
            continue
        if text and text not in [log.body for log in logs]:
            steps = ", ".join(one_line(step.name)[:LONGEST_NAME] for step in job.failed_steps)
            where = f"CI job {one_line(job.name)[:LONGEST_NAME]}{f', step {steps}' if steps else ''}"
            logs.append(Comment(AUTHOR, text, about=where, url=job.html_url or ""))
    if not logs:
        raise problem or LogUnavailable("The failed CI jobs wrote no log.", "Give the error with --text.")
    return tuple(logs)
