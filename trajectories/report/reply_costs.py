"""What a run's replies came to: of each ask, of each branch, and all together up to each step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from trajectories.material import Material
from trajectories.records import Hold, Settle, Step, Usage
from trajectories.trajectory import Trajectory


@dataclass(slots=True)
class Sum:
    """Tokens and dollars; `dollars` is None once something had no price."""

    dollars: float | None = 0.0
    input: int = 0
    cached: int = 0
    output: int = 0

    def add(self, usage: Usage, dollars: float | None) -> None:
        self.dollars = None if self.dollars is None or dollars is None else self.dollars + dollars
        self.input += usage.input_tokens
        self.cached += usage.cached_tokens
        self.output += usage.output_tokens

    def told(self) -> dict[str, Any]:
        dollars = None if self.dollars is None else round(self.dollars, 9)
        return {"dollars": dollars, "input": self.input, "cached": self.cached, "output": self.output}


@dataclass(frozen=True, slots=True)
class Costs:
    """`asks` by (branch, ask); `steps` has a line a step, with all that was spent until then; none where the record
    says nothing of costs."""

    asks: dict[tuple[str, int], Sum]
    branches: dict[str, Sum]
    steps: list[dict[str, Any]]


def costs(material: Material) -> Costs:
    """Counted as the purse counts: a request whose answer was never seen costs what was held for it. Of another
    program's trajectory there is only what its replies say, and so of the steps that a fork took over."""
    trajectory = material.trajectory
    asks: dict[tuple[str, int], Sum] = defaultdict(Sum)
    branches: dict[str, Sum] = defaultdict(Sum)
    total = Sum()
    steps = []
    for record in trajectory.records:
        if paid := _paid(record, trajectory):
            hold, usage, dollars = paid
            for sum in (asks[hold.branch, hold.ask], branches[hold.branch], total):
                sum.add(usage, dollars)
        elif isinstance(record, Step):
            if usage_told := _by_reply(record, trajectory, asks):
                asks[record.branch, record.reply or 0].add(usage_told, usage_told.dollars)
                if not material.is_ours:
                    branches[record.branch].add(usage_told, usage_told.dollars)
                    total.add(usage_told, usage_told.dollars)
            steps.append({"step": record.id, **total.told()})
    return Costs(dict(asks), dict(branches), steps if asks or not trajectory.replies else [])


def _paid(record: object, trajectory: Trajectory) -> tuple[Hold, Usage, float | None] | None:
    if isinstance(record, Settle) and record.hold in trajectory.holds:
        return trajectory.holds[record.hold], record.usage, record.dollars
    if isinstance(record, Hold) and record.id not in trajectory.settles:
        return record, Usage(), record.dollars
    return None


def _by_reply(step: Step, trajectory: Trajectory, asks: dict[tuple[str, int], Sum]) -> Usage | None:
    """What the reply itself says that it cost, where the record has no request for it."""
    if step.reply is None or (step.branch, step.reply) in asks:
        return None
    reply = trajectory.replies.get((step.branch, step.reply))
    return reply.usage if reply else None
