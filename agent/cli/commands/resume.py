"""Go on with a run that was interrupted; a run that ended answers as it ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from agent.console import Console
from agent.drive import drive, shown
from agent.engine import Engine
from agent.options import Json, Kind, Plain
from agent.ownership import ask_for_owner, run_owner
from agent.settings import load_settings
from agent.solve import Result, reopen, result
from agent.terminal import cleanly
from trajectories.errors import UsageError
from trajectories.journal import read


def command(
    run: Annotated[str, typer.Argument(help="Name as `runs` shows it, or its beginning.", metavar="RUN")],
    pr: Annotated[
        bool, typer.Option("--pr", help="Open a draft pull request with what it came to, verified or not.")
    ] = False,
    choose: Annotated[
        str,
        typer.Option(
            help="Take this one of the edits that the run showed side by side, and prove it.", metavar="A|B|C"
        ),
    ] = "",
    workspace: Kind = None,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Go on with a run that was interrupted; a run that ended answers as it ended.

    With `--choose` a run that ended with several edits goes on with the one that is meant.

    A run that you did not create here is continued as a copy, in the repository of the current folder and with your
    settings; only its image, set-up and test command are used.
    """
    if choose and pr:
        raise UsageError("--choose and --pr are two steps.", "Choose first, then open the pull request.")
    settings = load_settings()
    directory = settings.run_directory(run)
    console = Console(json=json, plain=plain)
    work = partial(_chosen, words=choose) if choose else _with_request if pr else shown
    ask_for_owner(settings.state, directory)

    def start() -> Engine:
        if run_owner(directory, settings.state) == "user":
            return reopen(directory, settings.state, console.happening, workspace=workspace)
        if choose or pr:
            raise UsageError(f"{directory} was not created by you here.", "Resume it without --choose and --pr first.")
        copy = _adopted(directory, workspace, cleanly(console.progress))
        return reopen(copy, settings.state, console.happening)

    return drive(start, console, work)


def _adopted(directory: Path, workspace: str | None, say: Callable[[str], None]) -> Path:
    """A copy of an untrusted run, to be continued. Raises UsageError for one that has ended: how is only claimed."""
    from agent.forking import adopt

    if read(directory).exit is not None:
        raise UsageError(
            f"{directory} was not created by you here, and has ended.",
            f"`swe-agent show {directory}` shows what it says, `swe-agent replay {directory}` runs it again.",
        )
    copy = adopt(directory, load_settings(workspace=workspace), {"workspace": workspace})
    say(f"{directory} was not created by you here. It is resumed as a copy, {copy.name}, with your current settings.")
    return copy


def _chosen(engine: Engine, console: Console, words: str) -> Result:
    from agent.moves.offering import choice_of, offered
    from agent.repair.words import LETTERS
    from agent.turns import next_turn

    trajectory = engine.trajectory
    request = f"/choose {LETTERS[choice_of(offered(trajectory), words)]}"
    if trajectory.exit is not None:
        next_turn(engine, request, "choose", engine.settings.model_copy(update={"strategy": "choose"}))
    elif trajectory.turns[-1].request != request:
        raise UsageError("The run has not ended yet.", f"Go on with it first: `swe-agent resume {engine.run.id}`.")
    return shown(engine, console)


def _with_request(engine: Engine, console: Console) -> Result:
    from agent.github.request import asked_for, check

    check(engine)
    asked_for(engine, shown(engine, console))
    return result(engine)
