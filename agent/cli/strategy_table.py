"""The table of strategies that a user may choose, read from constants in their modules.

`WHEN` says when to use a strategy; a strategy without it is internal to a front end. `SOURCE` names the paper or
project on which the strategy is based. `benchmarks/strategies.py` measures the costs and writes them to
`agent/strategies/costs.json`.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib.resources import files

from agent.conversation.model_roles import roles_of
from trajectories.plugins import find, names


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
    costs = json.loads(files("agent.strategies").joinpath("costs.json").read_text("utf-8"))
    found = []
    for name in names("agent.strategies"):
        module = sys.modules[find("agent.strategies", name, "solve", "strategy").__module__]
        if when := getattr(module, "WHEN", ""):
            needs = find("agent.strategies", name, "ROLES", "strategy")
            roles = roles_of(name) if needs else ()
            cost = costs.get(name) if needs else 0.0
            found.append(
                StrategyRow(
                    name, _first_sentence(module.__doc__ or ""), getattr(module, "SOURCE", ""), when, roles, cost
                )
            )
    return sorted(found, key=lambda row: (row.cost is None, row.cost or 0.0, row.name))


def _first_sentence(text: str) -> str:
    """Return the first sentence of a docstring in one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
