"""The input of `fix --ci`: an issue made of the failed jobs, their tests and the ends of the logs, or the user's run
that made the branch on which CI failed, continued with the logs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.issue_text.vulnerability import NOT
from aci.proof.missing_reproduction import FAILED
from aci.repository.user_repository import Repository
from agent.config.settings import load_settings
from agent.console.foreground_run import run_to_end
from agent.engine.engine import known_secrets
from agent.inputs.issue_input import Waiting, repository_from
from agent.lifecycle.delivery import deliver_on_request, is_delivered
from agent.lifecycle.run_lifecycle import reopen, result
from agent.prompts.quotation import quoted_logs
from agent.run_state.run_ownership import is_own
from agent.run_state.turn_state import BUILD, MAIN, PROVE
from agent.runs.run_listing import RunFilter, list_runs
from extensions.github.ci.ci_address import ci_address_of
from extensions.github.ci.failed_checks import AUTHOR, FailedChecks, fetch_failed_checks, job_names
from extensions.github.follow_up_turns import CI_REQUEST, FOLLOW_UP_SETTINGS, run_follow_up, start_turn
from extensions.github.text_escaping import code_block
from extensions.replay.run_fork import find_origin, fork
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import read
from trajectories.records import Issue

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.console.run_display import Console
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from agent.run_state.progress_event import ProgressEvent
    from trajectories.trajectory import Trajectory

MOST_TESTS = 20
"""Maximum number of failing tests that are named."""
MOST_RUNS = 200
"""Maximum number of runs, newest first, that are searched for the branch."""


def checks_from(url: str, waiting: Waiting = nullcontext) -> FailedChecks:
    """Return what failed at the URL of a CI run, a job, or a pull request. Raises what `fetch_failed_checks` raises."""
    with waiting("Reading the CI run"):
        return fetch_failed_checks(ci_address_of(url), known_secrets(os.environ))


def issue_of_checks(checks: FailedChecks) -> Issue:
    """Return the issue that CI fails; its text comes from strangers.

    An advisory's id in a log does not make it an issue about a vulnerability.
    """
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
    source = Repository.open(repository_from(repo or ".", waiting))
    try:
        source.commit(checks.commit)
    except UsageError:
        raise UsageError(
            f"{source.root} does not have the commit {checks.commit[:10]}, at which CI failed.",
            "Fetch its branch with git, or give a checkout of the run's repository with --repo.",
        ) from None
    return source


def find_run_of_branch(source: Repository, checks: FailedChecks, settings: Settings) -> Path | None:
    """Return the user's latest run that put its patch on the branch on which CI failed, here or on GitHub; None if
    there is none.

    Anyone may name a branch so, for example in a fork: the commit at which CI failed must contain the run's commit.
    """
    if not checks.branch:
        return None
    for line in list_runs(settings.runs, RunFilter(repository=str(source.root)))[:MOST_RUNS]:
        directory = settings.runs / line.run
        with suppress(RunBroken, UsageError, OSError):
            trajectory = read(directory)
            commits = _commits(trajectory, checks.branch)
            is_maker = any(source.is_ancestor(commit, checks.commit) for commit in commits)
            if is_maker and trajectory.steps[MAIN] and trajectory.exit is not None:
                return directory if is_own(directory, trajectory, settings.state) else None
    return None


def continue_run(
    directory: Path, checks: FailedChecks, source: Repository, flags: Mapping[str, Any], console: Console
) -> int:
    """Continue a fork of a run at the commit at which CI failed, and return the exit code. `flags` are settings (None:
    not given); the earlier run's settings are not reused."""
    start = partial(_open, directory, checks, source, flags, console.happening)
    return run_to_end(start, console, solve_continued)


def solve_continued(engine: Engine, console: Console) -> Result:
    """Run the rest of a run that was continued because CI failed. If the settings say so, apply a proven change.

    The result is not a success if the model changed nothing.
    """
    ended = run_follow_up(engine, console)
    if ended.exit.code != 0:
        return ended
    if engine.trajectory.turns[-1].strategy != PROVE:
        return replace(ended, exit=replace(ended.exit, kind="not_found", code=1))
    if engine.settings.apply and not is_delivered(engine, "apply"):
        deliver_on_request(engine, ended, apply=True, branch="")
    return result(engine)


def _open(
    directory: Path,
    checks: FailedChecks,
    source: Repository,
    flags: Mapping[str, Any],
    notify: Callable[[ProgressEvent], object],
) -> Engine:
    last, given = read(directory).steps[MAIN][-1], {**flags, **FOLLOW_UP_SETTINGS, "strategy": BUILD}
    origin = find_origin(f"{directory}@{last.id}", load_settings(**given))
    settings = load_settings(source.file(".swe-agent.toml", origin.run.base.commit) or b"", **given)
    engine = reopen(fork(origin, settings), settings.state, notify)
    try:
        start_turn(engine, f"{CI_REQUEST}\n\n{quoted_logs(checks.logs)}", (), directory, checks.commit)
    except BaseException:
        engine.close()
        raise
    return engine


def _commits(trajectory: Trajectory, branch: str) -> Iterator[str]:
    """Yield the commits that a run put on a branch; of a pull request, the intent names it."""
    for note in trajectory.notes:
        commit = note.data.get("commit")
        if note.kind in ("intent", "done") and note.data.get("branch") == branch and isinstance(commit, str):
            yield commit
