"""Go on from a step of a run, in a new run: with a hint, another model, another budget."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from agent.console import Console
from agent.drive import drive
from agent.engine import Engine
from agent.forking import fork, origin, settings_of
from agent.options import Apply, Branch, Effort, Json, Kind, MaxTime, MaxTokens, Plain, Test, check_delivery
from agent.ownership import ask_for_owner
from agent.settings import load_settings
from agent.solve import reopen
from trajectories.errors import UsageError

MOST_HINT = 100_000


def command(
    step: Annotated[str, typer.Argument(help="Run and step as `show` names them; 7 is main#7.", metavar="RUN@STEP")],
    hint: Annotated[str, typer.Option(help="What the model is told next.", metavar="TEXT")] = "",
    model: Annotated[str | None, typer.Option(help="Another model.", metavar="M")] = None,
    effort: Effort = None,
    budget: Annotated[
        float | None, typer.Option(help="Most dollars to spend; the new run begins at zero.", metavar="USD")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Most model replies, with those before the step.", metavar="N")
    ] = None,
    max_tokens: MaxTokens = None,
    max_time: MaxTime = None,
    workspace: Kind = None,
    test: Test = None,
    apply: Apply = False,
    branch: Branch = None,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Go on from a step of a run, in a new run: with a hint, another model, another budget.

    The new run has the old one's history up to that step and goes on in a new workspace, at that step's tree.
    The old run stays as it is. Answers and exits as `fix` does. A run that you did not
    create here is forked in the repository of the current folder and with your settings.
    """
    check_delivery(apply, branch)
    if len(hint) > MOST_HINT:
        raise UsageError(f"The hint has {len(hint):,} characters.", f"Keep it under {MOST_HINT:,}.")
    today = load_settings()
    with suppress(UsageError):  # origin() reports it
        ask_for_owner(today.state, today.run_directory(step.rpartition("@")[0]))
    begun = origin(step, today)
    settings = settings_of(
        begun,
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
        forked.append(reopen(fork(begun, settings, hint.strip()), settings.state, console.happening))
        return forked[0]

    code = drive(start, console)
    at = begun.step
    told = at is not None and any(step.author == "user" for step in forked[0].trajectory.steps[at.branch][at.n :])
    if hint.strip() and not told:
        typer.echo("The hint was not read: the model was asked nothing after that step. Fork an earlier one.", err=True)
    return code
