"""Costs of a run's requests: per ask, per branch, and in total up to each step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from trajectories.records import Hold, Settle, Step, Usage
from trajectories.trajectory import RunView, Trajectory


@dataclass(slots=True)
class CostSum:
    """A sum of tokens and dollars; `dollars` is None if a request had no price."""

    dollars: float | None = 0.0
    input: int = 0
    cached: int = 0
    output: int = 0

    def add(self, usage: Usage, dollars: float | None) -> None:
        self.dollars = None if self.dollars is None or dollars is None else self.dollars + dollars
        self.input += usage.input_tokens
        self.cached += usage.cached_tokens
        self.output += usage.output_tokens

    def as_json(self) -> dict[str, Any]:
        dollars = None if self.dollars is None else round(self.dollars, 9)
        return {"dollars": dollars, "input": self.input, "cached": self.cached, "output": self.output}


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of a run. `asks` contains the costs of each request, by (branch, ask). `steps` has one entry per step,
    with the total so far; it is empty if the records contain no costs."""

    asks: dict[tuple[str, int], CostSum]
    branches: dict[str, CostSum]
    steps: list[dict[str, Any]]


def costs(material: RunView) -> Costs:
    """Sum up the costs as the budget does: a request that was never answered costs what was reserved for it. For other
    programs' trajectories, and for steps copied by a fork, only the usage in the replies is available."""
    trajectory = material.trajectory
    asks: dict[tuple[str, int], CostSum] = defaultdict(CostSum)
    branches: dict[str, CostSum] = defaultdict(CostSum)
    total = CostSum()
    steps = []
    for record in trajectory.records:
        if paid := _paid(record, trajectory):
            hold, usage, dollars = paid
            for sum in (asks[hold.branch, hold.ask], branches[hold.branch], total):
                sum.add(usage, dollars)
        elif isinstance(record, Step):
            if replied := _by_reply(record, trajectory, asks):
                asks[record.branch, record.reply or 0].add(replied, replied.dollars)
                if not material.is_ours:
                    branches[record.branch].add(replied, replied.dollars)
                    total.add(replied, replied.dollars)
            steps.append({"step": record.id, **total.as_json()})
    return Costs(dict(asks), dict(branches), steps if asks or not trajectory.replies else [])


def _paid(record: object, trajectory: Trajectory) -> tuple[Hold, Usage, float | None] | None:
    if isinstance(record, Settle) and record.hold in trajectory.holds:
        return trajectory.holds[record.hold], record.usage, record.dollars
    if isinstance(record, Hold) and record.id not in trajectory.settles:
        return record, Usage(), record.dollars
    return None


def _by_reply(step: Step, trajectory: Trajectory, asks: dict[tuple[str, int], CostSum]) -> Usage | None:
    """Return the usage that a step's reply contains, if the records have no request for it."""
    if step.reply is None or (step.branch, step.reply) in asks:
        return None
    reply = trajectory.replies.get((step.branch, step.reply))
    return reply.usage if reply else None
