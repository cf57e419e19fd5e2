"""Write an HTML report of a run, or of two runs and where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[
        str, typer.Argument(help="Name as `runs` shows it, or a unique prefix; or a trajectory file.", metavar="RUN")
    ],
    other: Annotated[str, typer.Argument(help="Another run to compare with.", metavar="RUN2")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Output file or folder; default report-RUN.html.", metavar="F")
    ] = None,
) -> int:
    """Write an HTML report of a run, or of two runs and where they differ.

    The page is one self-contained file: issue, plan, steps with observations and diffs, branches, proof and costs.
    Secrets are masked. An earlier report is overwritten; any other non-empty file is not.
    Exit codes: 0 done, 2 usage, 5 the run cannot be read.
    """
    from contextlib import ExitStack

    from agent.config.settings import load_settings
    from agent.engine.engine import secrets_of_services
    from agent.runs.run_lookup import open_run
    from agent.runs.run_report import report_path, write_report

    settings = load_settings()
    with ExitStack() as stack:
        runs = [open_run(name, settings) for name in (run, other) if name]
        for each in runs:
            stack.callback(each.close)
        typer.echo(write_report(runs, report_path(runs, out), secrets_of_services(settings)))
    return 0
