"""List the strategies, and when to use each."""

from __future__ import annotations

import typer

from agent.cli import shared_options as options
from agent.cli.strategy_table import StrategyRow, strategy_rows

COSTS = "Costs are token costs on the scripted tasks of `python -m benchmarks.strategies`."


def command(json: options.Json = False, plain: options.Plain = False) -> int:
    """List the strategies for `fix --strategy`, with their source, their use, and their cost relative to `react`."""
    found = strategy_rows()
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps({"strategies": [asdict(row) for row in found]}))
        return 0
    from agent.console.pager import page_output

    with page_output(plain) as out:
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


def _cost(row: StrategyRow) -> str:
    if row.cost == 0:
        return "  no model"
    return f"  {row.cost:.1f} times the cost of react" if row.cost else ""
