"""For reinforcement learning with leave-one-out baselines: groups of answers to one issue, what each is worth, and its
advantage over the others.

Rewards after "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124), advantages after RLOO
(arXiv 2402.14740).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._groups import as_line, costs, groups, tools, whole, worth
from trajectories.material import Material
from trajectories.rewards import advantages

WHAT = "groups of runs of one issue with rewards and leave-one-out advantages (RLOO)"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[Material]) -> Iterator[str]:
    """Raises UsageError where no issue has two runs."""
    told = False
    for group in groups(runs):
        if len(group) < 2:
            continue
        told = True
        earned = worth(group)
        proven = [candidate for candidate in group if candidate.proven]
        unit, _ = costs(proven or group)
        for candidate, reward, advantage in zip(group, earned, advantages(earned), strict=True):
            prompt, completion = whole(candidate)
            row = {"prompt": prompt, "completion": completion, "tools": tools(candidate), **candidate.about}
            row |= {"reward": round(reward, 6), "advantage": round(advantage, 6), "proven": candidate.proven}
            yield as_line(row | {"cost": getattr(candidate, unit), "cost_in": unit})
    if not told:
        raise UsageError(
            "No issue has two runs that a model brought to an end.",
            "Export several runs of the same issue on the same base.",
        )
