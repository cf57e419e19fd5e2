"""Resume an interrupted run, or show the result of one that ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import shared_options as options
from agent.config.settings import load_settings
from agent.console.foreground_run import run_to_end, solve_and_show
from agent.console.rich_terminal import clean_printer
from agent.console.run_display import Console
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen, result
from agent.lifecycle.run_result import Result
from agent.run_state.run_ownership import ask_for_owner, run_owner
from agent.run_state.turn_state import follow_up_head
from trajectories.errors import UsageError
from trajectories.journal import read
from trajectories.plugins import extension_module

PR_CHECKED_LATER = "URL"
"""An issue, so that --pr is checked when the run is open."""


@options.with_events
def command(
    run: options.RunName,
    pr: Annotated[bool, typer.Option("--pr", "--mr", help="Open a draft request, whatever the verdict is.")] = False,
    apply: options.Apply = False,
    branch: options.Branch = None,
    choose: Annotated[
        str,
        typer.Option(help="Prove this edit out of those that the run offered.", metavar="A|B|C"),
    ] = "",
    workspace: options.Workspace = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Resume an interrupted run, or show the result of a run that has ended.

    For a run that has ended, --apply, --branch and --pr deliver its patch.

    If a run ended with several possible edits, --choose continues the run with one of them.

    If you did not create the run on this machine, `resume` continues a copy of the run in the repository of the current
    folder, with your settings. Of the run's own settings, only the image and the set-up, test and server commands are
    used.
    """
    options.check_delivery(apply, branch, pr, issue=PR_CHECKED_LATER)
    delivery = "--apply" if apply else "--branch" if branch else "--pr" if pr else ""
    if choose and delivery:
        raise UsageError(f"--choose and {delivery} are two steps.", f"Choose first, then resume it with {delivery}.")
    settings = load_settings()
    directory = settings.run_directory(run)
    console = Console(json=json, plain=plain)
    work = partial(_solve_chosen, words=choose) if choose else _solve_with_pr if pr else _solve
    if apply or branch:
        work = partial(_solve_and_deliver, apply=apply, branch=branch or "")
    ask_for_owner(settings.state, directory)

    def start() -> Engine:
        if run_owner(directory, settings.state) == "user":
            return reopen(directory, settings.state, console.happening, workspace=workspace)
        if given := "--choose" if choose else delivery:
            what = f"{directory} was not created by you on this computer."
            raise UsageError(what, f"Resume it without {given} first.")
        copy = _copy_untrusted(directory, workspace, clean_printer(console.progress))
        return reopen(copy, settings.state, console.happening)

    return run_to_end(start, console, work)


def _copy_untrusted(directory: Path, workspace: str | None, say: Callable[[str], None]) -> Path:
    """Copy an untrusted run so that it can be resumed. Raises UsageError if the run has ended, since its result cannot
    be trusted."""
    if read(directory).exit is not None:
        raise UsageError(
            f"{directory} was not created by you on this computer, and has ended.",
            f"`swe-agent show {directory}` shows what it says, `swe-agent replay {directory}` runs it again.",
        )
    forks = extension_module("agent.runs.untrusted_copy", "Resuming a run that you did not create", "replay")
    copy: Path = forks.copy_untrusted_run(directory, load_settings(workspace=workspace), {"workspace": workspace})
    say(
        f"{directory} was not created by you on this computer. It is resumed as a copy, {copy.name}, with your current "
        "settings."
    )
    return copy


def _solve(engine: Engine, console: Console) -> Result:
    if follow_up_head(engine.trajectory):
        from agent.cli.failed_ci import failed_ci

        continued: Result = failed_ci().solve_continued(engine, console)
        return continued
    return solve_and_show(engine, console)


def _solve_chosen(engine: Engine, console: Console, words: str) -> Result:
    from agent.lifecycle.turn_lifecycle import next_turn

    trajectory = engine.trajectory
    edits = extension_module("agent.candidates.offered_edits", "`resume --choose`", "repair")
    request: str = edits.choice_request(trajectory, words)
    if trajectory.exit is not None:
        next_turn(engine, request, "choose", engine.settings.model_copy(update={"strategy": "choose"}))
    elif trajectory.turns[-1].request != request:
        raise UsageError("The run has not ended yet.", f"Resume it first: `swe-agent resume {engine.run.id}`.")
    return solve_and_show(engine, console)


def _solve_and_deliver(engine: Engine, console: Console, apply: bool, branch: str) -> Result:
    from agent.lifecycle.delivery import check_request, deliver_on_request

    check_request(engine, apply, branch)
    deliver_on_request(engine, _solve(engine, console), apply, branch)
    return result(engine)


def _solve_with_pr(engine: Engine, console: Console) -> Result:
    from agent.lifecycle.publication import pull_requests

    requests = pull_requests(engine.run.issue.url)
    requests.check(engine)
    requests.deliver_on_request(engine, _solve(engine, console))
    return result(engine)
