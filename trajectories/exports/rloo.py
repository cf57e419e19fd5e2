"""Data for reinforcement learning with leave-one-out baselines: groups of answers to one issue, with the reward of each
and its advantage over the others.

Rewards follow "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124), and advantages follow
RLOO (arXiv 2402.14740).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._candidate_groups import (
    as_line,
    candidate_groups,
    candidate_rewards,
    costs,
    full_conversation,
    tools,
)
from trajectories.rewards import advantages
from trajectories.trajectory import RunView

WHAT = "groups of runs of one issue with rewards and leave-one-out advantages (RLOO)"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one line per candidate. Raises UsageError if no issue has at least two runs."""
    has_rows = False
    for group in candidate_groups(runs):
        if len(group) < 2:
            continue
        has_rows = True
        earned = candidate_rewards(group)
        proven = [candidate for candidate in group if candidate.proven]
        unit, _ = costs(proven or group)
        for candidate, reward, advantage in zip(group, earned, advantages(earned), strict=True):
            prompt, completion = full_conversation(candidate)
            row = {"prompt": prompt, "completion": completion, "tools": tools(candidate), **candidate.about}
            row |= {"reward": round(reward, 6), "advantage": round(advantage, 6), "proven": candidate.proven}
            yield as_line(row | {"cost": getattr(candidate, unit), "cost_in": unit})
    if not has_rows:
        raise UsageError(
            "No issue has two completed runs with a model.",
            "Export several runs of the same issue on the same base.",
        )
