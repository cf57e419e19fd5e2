"""Show a run step by step, or one step in full."""

from __future__ import annotations

from os.path import lexists  # not Path.exists, which raises if the name is too long
from typing import Annotated

import typer

from agent.cli import shared_options as options
from agent.cli.value_completion import complete_run
from agent.config.settings import load_settings
from agent.console.pager import Lines, page_output
from agent.runs.run_lookup import open_run
from extensions.run_views.run_transcript import TranscriptPrinter
from trajectories.errors import UsageError
from trajectories.trajectory import RunView


def command(
    run: Annotated[
        str,
        typer.Argument(
            help="Name of the run as `runs` shows it, a unique prefix or last part of the name, or a .traj file.",
            metavar="RUN",
            autocompletion=complete_run,
        ),
    ],
    step: Annotated[
        str,
        typer.Argument(
            help="Step to show in full, with its diff: main#7, or 7 for short; RUN@7 also works.", metavar="[STEP]"
        ),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Follow a run of another process until it ends.")] = False,
    plain: options.Plain = False,
) -> int:
    """Show a run step by step (replies, actions, observations and proof), or one step in full.

    At a terminal, the command shows its output in the program that $PAGER names, as git does. Ctrl-C ends --follow, but
    not the run.

    Exit codes: 0 (shown), 2 (usage), 5 (damaged run), 130 (--follow was interrupted).
    """
    if step and follow:
        raise UsageError("--follow shows a whole run, not a step.", "Leave out --follow, or the step.")
    if follow:
        from extensions.run_views.run_follower import follow_run as following

        with page_output(plain, pages=False) as out:
            settings = load_settings()
            return following(settings.run_directory(run), out, settings.state)
        return 0
    name, at, named = run.rpartition("@")
    if at and name and named and not step and not lexists(run):  # RUN@STEP, as in `fork` and `diff`
        run, step = name, named
    material = open_run(run, load_settings())
    try:
        with page_output(plain) as out:
            if step:
                from agent.runs.run_lookup import find_step

                TranscriptPrinter(material, out).whole(find_step(material.trajectory, step, run))
            else:
                _show(material, out)
    finally:
        material.close()
    return 0


def _show(material: RunView, out: Lines) -> None:
    showing = TranscriptPrinter(material, out)
    showing.heading()
    showing.branches()
    for record in material.trajectory.records:
        showing.record(record)
    showing.open_end()
