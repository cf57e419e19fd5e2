"""The failed CI run of one of the Action's own pull requests, which the Action follows a limited number of times.

The event `workflow_run` runs with the rights of the base repository, and runs for forks cause it too. So only the run's
number is taken from the event. Everything that decides comes from GitHub's API and from the Action's own record; names
and logs of jobs are only text for the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from agent.engine.engine import known_secrets
from agent.inputs.github_urls import Address
from extensions.github.action.spend_reservations import charges_of, check_alone
from extensions.github.action.status_comment import StatusComment
from extensions.github.action_inputs import Rules
from extensions.github.api.github_client import translate_errors
from extensions.github.ci.ci_log_download import LogUnavailable
from extensions.github.ci.ci_runs import CiRun, failed_jobs, read_run, runs_at
from extensions.github.ci.failed_checks import job_names, read_logs
from extensions.github.pull_request.marked_comment import MOST
from extensions.github.task.task_subject import is_own, issue_of_branch, skip_if_missing
from extensions.github.task.trigger_event import Trigger, TriggerSkipped, read_ci_run, utc
from trajectories.records import Comment

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

EVENTS = frozenset({"push", "pull_request"})
"""Events whose runs are followed. They check the commit itself, without the base repository's secrets for forks."""
MOST_RUNS = 5
"""Maximum number of runs of the same workflow on a base commit whose jobs are read."""


def find_failed_run(place: Repository, name: str, rules: Rules) -> tuple[CiRun, Trigger]:
    """Return the failed run of the current event, and a trigger for its pull request.

    Raises TriggerSkipped unless the run failed at the current commit of an open pull request of the Action, which the
    Action pushed itself, and no other run works on it.
    """
    number = read_ci_run()
    if rules.ci_attempts == 0:
        raise TriggerSkipped("ci-attempts is 0, so failed CI is not followed.")
    with skip_if_missing(f"The workflow run {number} no longer exists."):
        run = read_run(place, number)
    if run.head_repository is None or run.head_repository.full_name.casefold() != name.casefold():
        raise TriggerSkipped("The workflow ran for a fork.")
    if run.status != "completed" or run.conclusion != "failure":
        raise TriggerSkipped("The workflow run did not fail, or runs again.")
    if run.event not in EVENTS:
        raise TriggerSkipped(f"The workflow ran for the event {run.event}.")
    if f"{name}/{run.path.partition('@')[0]}" == os.environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]:
        raise TriggerSkipped("The Action does not follow its own workflow.")
    pull = _pull_of(place, name, run, rules)
    stickies = charges_of(place, (pull.number, issue_of_branch(pull.head.ref)), rules.bot).values()
    if not any(one.pushed == run.head_sha for sticky in stickies for one in sticky.charges):
        raise TriggerSkipped(f"The Action did not push {run.head_sha[:10]}.")
    check_alone(stickies, rules)
    return run, Trigger(
        kind="ci",
        number=pull.number,
        on_pull=True,
        actor=rules.bot,
        actor_id=0,
        is_bot=True,
        at=utc(run.updated_at),
        head=run.head_sha,
    )


def check_attempts(sticky: StatusComment, rules: Rules) -> None:
    """Raise TriggerSkipped if the pull request of a status comment was continued often enough because CI failed."""
    count = sum(one.ci for one in sticky.charges)
    if count >= rules.ci_attempts:
        times = "once" if count == 1 else f"{count} times"
        raise TriggerSkipped(f"The Action followed failed CI {times} already; the limit is ci-attempts.")


def collect_logs(place: Repository, here: Address, run: CiRun, pull: PullRequest) -> tuple[Comment, ...]:
    """Return the logs of the jobs that failed because of the pull request.

    Raises TriggerSkipped if the same jobs fail on the base, or if there is no log.
    """
    jobs = failed_jobs(place, run.id)
    if not jobs:
        raise TriggerSkipped("No job of the workflow run failed.")
    for commit in _bases(place, pull):
        failed_before = _failed_names(place, commit, run)
        jobs_left = [job for job in jobs if job.name not in failed_before]
        if not jobs_left:
            raise TriggerSkipped(f"The base {commit[:10]} fails in the same CI jobs: {job_names(jobs)}.")
        jobs = jobs_left
    try:
        return read_logs(here, jobs, known_secrets(os.environ))
    except LogUnavailable as error:
        raise TriggerSkipped(error.message) from error


def _pull_of(place: Repository, name: str, run: CiRun, rules: Rules) -> PullRequest:
    branch = run.head_branch or ""
    if not issue_of_branch(branch):
        raise TriggerSkipped("The workflow did not run for a branch of the Action.")
    owner = name.partition("/")[0]
    with translate_errors("read the pull requests", "pull-requests: read"):
        pulls = list(islice(place.get_pulls(state="open", head=f"{owner}:{branch}"), MOST))
    own = [pull for pull in pulls if is_own(pull, name, rules) and pull.head.ref == branch]
    if not own:
        raise TriggerSkipped("The branch has no open pull request of the Action.")
    if own[0].head.sha != run.head_sha:
        raise TriggerSkipped(f"#{own[0].number} has a newer commit.")
    return own[0]


def _bases(place: Repository, pull: PullRequest) -> Iterable[str]:
    """Return the commits without the pull request's changes: the last common one, and the target branch's."""
    with translate_errors("compare the pull request with its target", "contents: read"):
        target = place.get_branch(pull.base.ref).commit.sha  # pull.base.sha is older: it is not updated by itself
        common = place.compare(target, pull.head.sha).merge_base_commit.sha
    return dict.fromkeys([common, target])


def _failed_names(place: Repository, commit: str, run: CiRun) -> set[str]:
    """Return the names of the jobs that failed at a commit in other runs of the same workflow."""
    runs = [one for one in runs_at(place, commit) if one.workflow_id == run.workflow_id and one.id != run.id]
    failed = [one for one in runs if one.status == "completed" and one.conclusion == "failure"]
    return {job.name for one in failed[:MOST_RUNS] for job in failed_jobs(place, one.id)}
