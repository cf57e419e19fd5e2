"""Continue from a step of a run in a new run."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from agent.cli import shared_options as options
from agent.config.settings import load_settings
from agent.console.foreground_run import run_to_end
from agent.console.run_display import Console
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import reopen
from agent.run_state.run_ownership import ask_for_owner
from extensions.replay.run_fork import find_origin, fork, fork_settings
from trajectories.errors import UsageError

MOST_HINT = 100_000


@options.with_events
def command(
    step: Annotated[
        str, typer.Argument(help="Run and step as `show` names them; 7 is short for main#7.", metavar="RUN@STEP")
    ],
    hint: Annotated[str, typer.Option(help="Message that the model gets before it continues.", metavar="TEXT")] = "",
    model: Annotated[str | None, typer.Option(help="Model of the new run.", metavar="M")] = None,
    effort: options.Effort = None,
    budget: Annotated[float | None, typer.Option(help="Budget of the new run in dollars.", metavar="USD")] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Maximum number of model replies, including those before the step.", metavar="N")
    ] = None,
    max_tokens: options.MaxTokens = None,
    max_time: options.MaxTime = None,
    workspace: options.Workspace = None,
    test: options.Test = None,
    apply: options.Apply = False,
    branch: options.Branch = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Start a new run from a step of another run, with a hint, another model or another budget.

    The new run copies the old run's history up to that step, and continues in a new workspace with the files as they
    were after that step. The old run is not changed. Output and exit codes are those of `fix`.

    If you did not create the old run on this machine, the new run uses the repository of the current folder and your
    settings.
    """
    options.check_delivery(apply, branch)
    if len(hint) > MOST_HINT:
        raise UsageError(f"The hint has {len(hint):,} characters.", f"Keep it under {MOST_HINT:,}.")
    today = load_settings()
    with suppress(UsageError):  # find_origin() reports the error
        ask_for_owner(today.state, today.run_directory(step.rpartition("@")[0]))
    start_step = find_origin(step, today)
    settings = fork_settings(
        start_step,
        model=model,
        effort=effort,
        budget=budget,
        max_steps=max_steps,
        max_tokens=max_tokens,
        max_time=max_time,
        workspace=workspace,
        test=test,
        apply=apply or None,
        branch=branch,
    )
    console = Console(json=json, plain=plain)
    forked: list[Engine] = []

    def start() -> Engine:
        forked.append(reopen(fork(start_step, settings, hint.strip()), settings.state, console.happening))
        return forked[0]

    code = run_to_end(start, console)
    at = start_step.step
    hint_used = at is not None and any(step.author == "user" for step in forked[0].trajectory.steps[at.branch][at.n :])
    if hint.strip() and not hint_used:
        typer.echo("The hint was not used: no model request followed that step. Fork an earlier one.", err=True)
    return code
