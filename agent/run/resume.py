"""Go on with a run that was interrupted; a run that ended answers as it ended."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.console import Console
from agent.drive import drive
from agent.options import Json, Plain
from agent.settings import load_settings
from agent.solve import reopen


def command(
    run: Annotated[str, typer.Argument(help="Name as `runs` shows it, or its beginning.", metavar="RUN")],
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Go on with a run that was interrupted; a run that ended answers as it ended."""
    settings = load_settings()
    directory = settings.run_directory(run)
    console = Console(json=json, plain=plain)
    return drive(lambda: reopen(directory, settings.state, console.happening), console)
