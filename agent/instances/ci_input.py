"""An issue made of failed CI: the failed jobs and steps, the failing tests, and the ends of the logs."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from agent.instances.issue_input import Waiting, repository_from
from trajectories.errors import UsageError
from trajectories.records import Issue

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.github.failed_checks import FailedChecks

MOST_TESTS = 20
"""Maximum number of failing tests that are named."""


def checks_from(url: str, waiting: Waiting = nullcontext) -> FailedChecks:
    """Return what failed at the URL of a CI run, a job, or a pull request. Raises what `fetch_failed_checks` raises."""
    from agent.engine.engine import known_secrets
    from agent.github.failed_checks import fetch_failed_checks
    from agent.github.github_urls import ci_address_of

    with waiting("Reading the CI run"):
        return fetch_failed_checks(ci_address_of(url), known_secrets(os.environ))


def issue_of_checks(checks: FailedChecks) -> Issue:
    """Return the issue that CI fails; its text comes from strangers.

    An advisory's id in a log does not make it an issue about a vulnerability.
    """
    from aci.issue_text.vulnerability import NOT
    from aci.proof.missing_reproduction import FAILED
    from agent.github.failed_checks import AUTHOR, job_names
    from agent.github.text_escaping import code_block

    found = [node or name for log in checks.logs for node, name in FAILED.findall(log.body)]
    tests = list(dict.fromkeys(found))[:MOST_TESTS]
    parts = [f"CI fails at commit {checks.commit}."]
    if tests:
        parts.append("\n".join(["The failing tests:", "", *(f"- {test}" for test in tests)]))
    parts += [f"The end of the log of the {log.about}:\n\n{code_block(log.body)}" for log in checks.logs]
    title = f"CI fails: {job_names(checks.jobs)}"
    return Issue(title, "\n\n".join(parts), author=AUTHOR, trust="stranger", labels=(NOT,))


def repository_of_checks(checks: FailedChecks, repo: str | None, waiting: Waiting = nullcontext) -> Repository:
    """Return the repository that `repo` names, or the one of the current folder. Raises UsageError if it lacks the
    commit at which CI failed."""
    from aci.repository.user_repository import Repository

    source = Repository.open(repository_from(repo or ".", waiting))
    try:
        source.commit(checks.commit)
    except UsageError:
        raise UsageError(
            f"{source.root} does not have the commit {checks.commit[:10]}, at which CI failed.",
            "Fetch its branch with git, or give a checkout of the run's repository with --repo.",
        ) from None
    return source
