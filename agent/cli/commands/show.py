"""Show a run step by step: what was thought, done and seen, and the proof; or one step whole."""

from __future__ import annotations

from os.path import lexists  # not Path's, which raises for what is too long
from typing import Annotated

import typer

from agent.material import opened
from agent.options import Plain
from agent.paging import Lines, paged
from agent.settings import load_settings
from agent.showing import Showing
from trajectories.errors import UsageError
from trajectories.material import Material


def command(
    run: Annotated[
        str,
        typer.Argument(
            help="Name as `runs` shows it, or its beginning; or the file of a trajectory of SWE-agent's.", metavar="RUN"
        ),
    ],
    step: Annotated[
        str,
        typer.Argument(
            help="One step whole, with its diff: main#7, or 7 for that; RUN@7 says so too.", metavar="[STEP]"
        ),
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on showing what another process does, until it is done.")
    ] = False,
    plain: Plain = False,
) -> int:
    """Show a run step by step: what was thought, done and seen, and the proof; or one step whole.

    On a terminal it goes through $PAGER, as git does it. Ctrl-C ends --follow, and not the run.
    Exit codes: 0 shown, 2 usage, 5 damaged, 130 --follow was interrupted.
    """
    if step and follow:
        raise UsageError("A step that is shown whole is done.", "Leave out --follow, or the step.")
    if follow:
        from agent.following import follow as following

        with paged(plain, pages=False) as out:
            settings = load_settings()
            return following(settings.run_directory(run), out, settings.state)
        return 0
    name, at, named = run.rpartition("@")
    if at and name and named and not step and not lexists(run):  # as `fork` and `diff` take it
        run, step = name, named
    material = opened(run, load_settings())
    try:
        with paged(plain) as out:
            if step:
                from agent.forking import step_of

                Showing(material, out).whole(step_of(material.trajectory, step, run))
            else:
                _show(material, out)
    finally:
        material.close()
    return 0


def _show(material: Material, out: Lines) -> None:
    showing = Showing(material, out)
    showing.heading()
    showing.branches()
    for record in material.trajectory.records:
        showing.record(record)
    showing.open_end()
