"""Data for reinforcement learning with leave-one-out baselines: groups of answers to one issue, with the reward of each
and its advantage over the others.

Rewards follow "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124), and advantages follow
RLOO ("Back to Basics", arXiv 2402.14740).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from extensions.lab.training.candidate_groups import Selection, candidate_rewards, columns, costs, select_candidates
from extensions.lab.training.candidate_messages import as_line, full_conversation, tools
from extensions.lab.training.candidates import Candidate
from trajectories.errors import UsageError
from trajectories.trajectory import RunView

WHAT = "groups of runs of one issue with rewards and leave-one-out advantages (RLOO)"
ENDING = "jsonl"
SEVERAL = True
FILTERS = (
    "Groups of at least two candidates with the same issue, base and prompt, some proven and some not, or all proven "
    "with instructions counted."
)


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield the rows for these runs; see `rows`."""
    return rows(select_candidates(runs))


def rows(selection: Selection) -> Iterator[str]:
    """Yield one line per candidate. Raises UsageError if no two runs can be compared."""
    used = {key: group for key, group in selection.groups.items() if _is_used(selection, group)}
    if not used:
        raise UsageError(
            "No two runs of the same issue with the same prompt differ in their result.",
            "Export several runs of the same issue on the same base, some of them proven.",
        )
    for key, group in used.items():
        selection.use(*group)
        earned = candidate_rewards(group)
        unit, _ = costs([candidate for candidate in group if candidate.proven])
        for candidate, reward, advantage in zip(group, earned, advantages(earned), strict=True):
            prompt, completion = full_conversation(candidate)
            row: dict[str, Any] = {"prompt": prompt, "completion": completion, "tools": tools(candidate)}
            row |= columns(candidate, key, group)
            row |= {"reward": round(reward, 6), "advantage": round(advantage, 6), "proven": candidate.proven}
            yield as_line(row | {"cost": getattr(candidate, unit), "cost_in": unit})


def _is_used(selection: Selection, group: Sequence[Candidate]) -> bool:
    """Return whether a group teaches something. A pass rate of 0 or 1 says nothing about the answers (DAPO, arXiv
    2503.14476), unless their speed is measured."""
    proven = sum(candidate.proven for candidate in group)
    if len(group) < 2:
        reason = "the only run with its prompt"
    elif not proven:
        reason = "no run with its prompt is proven"
    elif proven == len(group) and costs(group)[0] != "instructions":
        reason = "all runs with its prompt are proven"
    else:
        return True
    selection.leave_out(group, reason)
    return False


def advantages(earned: Sequence[float]) -> list[float]:
    """Return the advantage of each reward over the mean of all others in the group. Raises UsageError for fewer than
    two rewards."""
    if len(earned) < 2:
        raise UsageError("An advantage needs other rewards to compare with.", "Give two rewards or more.")
    whole = math.fsum(earned)
    return [each - (whole - each) / (len(earned) - 1) for each in earned]
