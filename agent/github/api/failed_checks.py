"""The failed CI jobs at a commit, with the end of their logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import one_line
from agent.github.api.ci_log_download import LogUnavailable, read_failed_steps
from trajectories.records import Comment

if TYPE_CHECKING:
    from agent.github.api.ci_runs import CiJob
    from agent.github.api.github_urls import Address

MOST_LOGS = 3
"""Maximum number of jobs whose logs are read: jobs of a matrix often fail for the same reason."""
LONGEST_NAME = 80
AUTHOR = "GitHub Actions"


@dataclass(frozen=True, slots=True)
class FailedChecks:
    """Failed jobs at a commit. `logs` are the ends of the logs of the first ones, which are untrusted text."""

    commit: str
    jobs: tuple[CiJob, ...]
    logs: tuple[Comment, ...]

    @property
    def names(self) -> str:
        return job_names(self.jobs)


def job_names(jobs: Sequence[CiJob]) -> str:
    """Return the names of the first jobs, on one line."""
    names = list(dict.fromkeys(one_line(job.name)[:LONGEST_NAME] for job in jobs))
    more = f" and {len(names) - MOST_LOGS} more" if len(names) > MOST_LOGS else ""
    return f"{', '.join(names[:MOST_LOGS])}{more}"


def read_logs(address: Address, commit: str, jobs: Sequence[CiJob], secrets: Sequence[str] = ()) -> FailedChecks:
    """Return the jobs with the logs of the first ones, without logs that equal an earlier one.

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
    return FailedChecks(commit, tuple(jobs), tuple(logs))
