"""List the strategies: what each does, where it is from, what it costs, and when to use it."""

from __future__ import annotations

import typer

from agent.options import Json, Plain
from agent.strategy_table import Row, rows

COSTS = "Costs are those of priced tokens, on the scripted tasks of `python -m benchmarks.strategies`."


def command(json: Json = False, plain: Plain = False) -> int:
    """List the strategies for `fix --strategy`: what each does, after whom, its cost beside `react`, when to use it."""
    found = rows()
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps({"strategies": [asdict(row) for row in found]}))
        return 0
    from agent.paging import paged

    with paged(plain) as out:
        for row in found:
            out.line(f"{row.name}{_cost(row)}", "bold")
            out.line(f"  {row.what}")
            if row.source:
                out.line(f"  After {row.source}.", "dim")
            out.line(f"  When {row.when}.")
            if row.roles:
                out.line(f"  Roles: {', '.join(row.roles)}.", "dim")
            out.line()
        out.line(COSTS, "dim")
    return 0


def _cost(row: Row) -> str:
    if row.cost == 0:
        return "  no model"
    return f"  {row.cost:.1f} times react" if row.cost else ""
