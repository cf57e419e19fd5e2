"""Write an HTML report of a run, or of two runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.value_completion import complete_run
from agent.run_state.terminal_question import at_terminal, confirm


def command(
    run: Annotated[
        str,
        typer.Argument(
            help="Name of the run as `runs` shows it, a unique prefix or last part of the name, or a trajectory file.",
            metavar="RUN",
            autocompletion=complete_run,
        ),
    ],
    other: Annotated[
        str, typer.Argument(help="Another run to compare with.", metavar="RUN2", autocompletion=complete_run)
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Output file or folder; default: the user's state folder.", metavar="F")
    ] = None,
) -> int:
    """Write an HTML report of a run, or of two runs and their differences.

    The report is one self-contained file with the issue, the plan, the steps with observations and diffs, the branches,
    the proof and the costs. Secrets are masked. The command overwrites an earlier report, but no other non-empty file.
    At a terminal, it offers to open the report in a browser.

    Exit codes: 0 (done), 2 (usage), 5 (the run cannot be read).
    """
    from contextlib import ExitStack

    from agent.config.settings import load_settings
    from agent.engine.engine import secrets_of_services
    from agent.runs.run_lookup import open_run, warn_of_exploit
    from extensions.report.run_report import report_path, write_report

    settings = load_settings()
    with ExitStack() as stack:
        runs = [open_run(name, settings) for name in (run, other) if name]
        for each in runs:
            stack.callback(each.close)
            warn_of_exploit(each, lambda text: typer.echo(text, err=True))
        target = report_path(runs, out, settings.reports)
        typer.echo(write_report(runs, target, secrets_of_services(settings)))
    if at_terminal() and sys.stdout.isatty():
        _offer_to_open(target)
    return 0


def _offer_to_open(page: Path) -> None:
    """Ask whether to open the page, if there is a browser."""
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if confirm("", "Open it in the browser?"):
        browser.open(page.absolute().as_uri())
