"""List the runs, newest first."""

from __future__ import annotations

import typer

from agent.options import Json
from agent.settings import load_settings
from agent.summary import summaries

WORDS = {None: "not begun", "unproven": "not verified", "not_found": "no fix"}


def command(json: Json = False) -> int:
    """List the runs, newest first: what was asked, how it ended, what it cost, whether it can be resumed."""
    found = summaries(load_settings().runs)
    if json:
        from json import dumps

        typer.echo(dumps({"runs": found}))
        return 0
    if not found:
        typer.echo("There are no runs yet; `swe-agent fix` makes one.")
        return 0
    from rich.markup import escape
    from rich.table import Table

    from aci.view import clean
    from agent.terminal import Rich

    table = Table("run", "issue", "ended", "$", "steps", box=None, pad_edge=False)
    for run in found:
        ended = "resumable" if run["resumable"] else WORDS.get(run["ended"], str(run["ended"]))
        cost = "?" if run["dollars"] is None else f"{run['dollars']:.4f}"
        table.add_row(run["run"], escape(clean(run["issue"])[:60]), ended, cost, str(run["steps"]))
    Rich(highlight=False).print(table)
    return 0
