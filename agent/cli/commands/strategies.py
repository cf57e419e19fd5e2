"""List the strategies, and when to use each.

The table is read from constants in the modules of strategies. `WHEN` says when to use a strategy; a strategy without it
is internal to a front end. `SOURCE` names the paper or project on which the strategy is based.
`benchmarks/strategies.py` measures the costs and writes them to `agent/strategies/costs.json`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from importlib.resources import files
from json import dumps, loads

import typer

from agent.cli import shared_options as options
from agent.conversation.model_roles import roles_of
from trajectories.plugins import find, names

COSTS = "Costs are token costs on the scripted tasks of `python -m benchmarks.strategies`."


def command(json: options.Json = False, plain: options.Plain = False) -> int:
    """List the strategies for `fix --strategy`, with their source, their use, and their cost relative to `react`."""
    rows = strategy_rows()
    if json:
        typer.echo(dumps({"strategies": [asdict(row) for row in rows]}))
        return 0
    from agent.console.pager import page_output

    with page_output(plain) as out:
        for row in rows:
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


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """A strategy in the table.

    `cost` is the token cost relative to `react` on the same scripted tasks: 0 if no model is used, None if not
    measured.
    """

    name: str
    what: str
    source: str
    when: str
    roles: tuple[str, ...]
    cost: float | None


def strategy_rows() -> list[StrategyRow]:
    """Return the strategies that a user may choose, the cheapest first."""
    costs = loads(files("agent.strategies").joinpath("costs.json").read_text("utf-8"))
    rows = []
    for name in names("agent.strategies"):
        module = sys.modules[find("agent.strategies", name, "solve", "strategy").__module__]
        if when := getattr(module, "WHEN", ""):
            needs = find("agent.strategies", name, "ROLES", "strategy")
            roles = roles_of(name) if needs else ()
            cost = costs.get(name) if needs else 0.0
            rows.append(
                StrategyRow(
                    name, _first_sentence(module.__doc__ or ""), getattr(module, "SOURCE", ""), when, roles, cost
                )
            )
    return sorted(rows, key=lambda row: (row.cost is None, row.cost or 0.0, row.name))


def _first_sentence(text: str) -> str:
    """Return the first sentence of a docstring in one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
