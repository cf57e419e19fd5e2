"""The strategies that a user may choose, told by names in their modules.

`WHEN` says when to use one: without it a strategy is a front end's own. `SOURCE` names whose idea it is. What they cost
is measured by `benchmarks/strategies.py` and lies beside the strategies, in `costs.json`.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib.resources import files

from agent.casting import roles_of
from trajectories.plugins import find, names


@dataclass(frozen=True, slots=True)
class Row:
    """`cost`: of priced tokens, beside that of `react` on the same scripted tasks; 0 without a model, None where it was
    not measured."""

    name: str
    what: str
    source: str
    when: str
    roles: tuple[str, ...]
    cost: float | None


def rows() -> list[Row]:
    """Those that a user may choose, the cheapest first."""
    costs = json.loads(files("agent.strategies").joinpath("costs.json").read_text("utf-8"))
    found = []
    for name in names("agent.strategies"):
        module = sys.modules[find("agent.strategies", name, "solve", "strategy").__module__]
        if when := getattr(module, "WHEN", ""):
            needs = find("agent.strategies", name, "ROLES", "strategy")
            roles = roles_of(name) if needs else ()
            cost = costs.get(name) if needs else 0.0
            found.append(
                Row(name, _first_sentence(module.__doc__ or ""), getattr(module, "SOURCE", ""), when, roles, cost)
            )
    return sorted(found, key=lambda row: (row.cost is None, row.cost or 0.0, row.name))


def _first_sentence(text: str) -> str:
    """The docstring's, in one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
