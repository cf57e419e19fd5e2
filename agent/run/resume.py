"""Go on with a run that was interrupted; a run that ended answers as it ended."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.console import Console
from agent.drive import drive, shown
from agent.engine import Engine
from agent.options import Json, Plain
from agent.settings import load_settings
from agent.solve import Result, reopen, result


def command(
    run: Annotated[str, typer.Argument(help="Name as `runs` shows it, or its beginning.", metavar="RUN")],
    pr: Annotated[
        bool, typer.Option("--pr", help="Open a draft pull request with what it came to, verified or not.")
    ] = False,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Go on with a run that was interrupted; a run that ended answers as it ended."""
    settings = load_settings()
    directory = settings.run_directory(run)
    console = Console(json=json, plain=plain)
    work = _with_request if pr else shown
    return drive(lambda: reopen(directory, settings.state, console.happening), console, work)


def _with_request(engine: Engine, console: Console) -> Result:
    from agent.github.request import asked_for, check

    check(engine)
    asked_for(engine, shown(engine, console))
    return result(engine)
