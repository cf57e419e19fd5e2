"""Write a run as a page for a browser, or two runs and where they part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[
        str, typer.Argument(help="Name as `runs` shows it, or its beginning; or a trajectory file.", metavar="RUN")
    ],
    other: Annotated[str, typer.Argument(help="Another run, to see where they part.", metavar="RUN2")] = "",
    out: Annotated[
        Path | None, typer.Option(help="The file, or its folder; report-RUN.html if not given.", metavar="F")
    ] = None,
) -> int:
    """Write a run as a page for a browser, or two runs and where they part.

    The page is one file that loads nothing: issue, plan, steps with what they saw and changed, branches, proof, costs.
    Secrets are masked. An earlier report is written over, any other file that holds something is not.
    Exit codes: 0 done, 2 usage, 5 the run cannot be read.
    """
    from contextlib import ExitStack

    from agent.engine import secrets_of_services
    from agent.material import opened
    from agent.reporting import report, target_of
    from agent.settings import load_settings

    settings = load_settings()
    with ExitStack() as stack:
        runs = [opened(name, settings) for name in (run, other) if name]
        for each in runs:
            stack.callback(each.close)
        typer.echo(report(runs, target_of(runs, out), secrets_of_services(settings)))
    return 0
