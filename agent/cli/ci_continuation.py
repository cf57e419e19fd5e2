"""The user's run that made the branch on which CI failed, continued with the logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.console.foreground_run import run_to_end
from agent.engine.delivery import deliver_on_request
from agent.engine.run_lifecycle import reopen, result
from agent.github.action.follow_up import BUILD, FOLLOW_UP_SETTINGS, Head, run_follow_up, start_turn
from agent.github.task.task_text import CI_REQUEST
from agent.prompts.quotation import quoted_logs
from agent.run_state.run_ownership import is_own
from agent.run_state.turn_state import MAIN
from agent.runs.run_fork import find_origin, fork, fork_settings
from agent.runs.run_listing import RunFilter, list_runs
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import read

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.console.run_display import Console
    from agent.engine.engine import Engine
    from agent.engine.run_result import Result
    from agent.github.api.failed_checks import FailedChecks
    from agent.run_state.progress_event import ProgressEvent
    from trajectories.trajectory import Trajectory

MOST_RUNS = 200
"""Maximum number of runs, newest first, that are searched for the branch."""


def find_run_of_branch(source: Repository, branch: str, settings: Settings) -> Path | None:
    """Return the user's latest run that put its patch on a branch of the repository, here or on GitHub; None if there
    is none."""
    if not branch:
        return None
    for line in list_runs(settings.runs, RunFilter(repository=str(source.root)))[:MOST_RUNS]:
        directory = settings.runs / line.run
        with suppress(RunBroken, UsageError, OSError):
            trajectory = read(directory)
            if branch in _branches(trajectory) and trajectory.steps[MAIN] and trajectory.exit is not None:
                return directory if is_own(directory, trajectory, settings.state) else None
    return None


def continue_run(
    directory: Path, checks: FailedChecks, settings: Settings, flags: Mapping[str, Any], console: Console, apply: bool
) -> int:
    """Continue a fork of a run at the commit at which CI failed, and return the exit code. With `apply`, a proven
    change is applied to the working tree. `flags` are settings (None: not given)."""
    start = partial(_open, directory, checks, settings, flags, console.happening)

    def work(engine: Engine, console: Console) -> Result:
        ended = run_follow_up(engine, console)
        if apply and ended.exit.code == 0 and ended.exit.tree != engine.working_tree.tree():
            deliver_on_request(engine, ended, apply=True, branch="")
            return result(engine)
        return ended

    return run_to_end(start, console, work)


def _open(
    directory: Path,
    checks: FailedChecks,
    settings: Settings,
    flags: Mapping[str, Any],
    notify: Callable[[ProgressEvent], object],
) -> Engine:
    last = read(directory).steps[MAIN][-1]
    origin = find_origin(f"{directory}@{last.id}", settings)
    wanted = fork_settings(origin, **{**flags, **FOLLOW_UP_SETTINGS, "strategy": BUILD})
    engine = reopen(fork(origin, wanted), wanted.state, notify)
    try:
        engine.working_tree = Head(engine, checks.commit)
        start_turn(engine, f"{CI_REQUEST}\n\n{quoted_logs(checks.logs)}", (), directory)
    except BaseException:
        engine.close()
        raise
    return engine


def _branches(trajectory: Trajectory) -> Iterator[str]:
    """Yield the names of the branches that a run created or pushed."""
    for note in trajectory.notes:
        if note.kind == "intent" and isinstance(name := note.data.get("branch"), str):
            yield name
        if note.kind == "done" and str(effect := note.data.get("effect", "")).startswith("branch "):
            yield str(effect).removeprefix("branch ")
