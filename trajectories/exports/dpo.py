"""For preference optimization: pairs of answers to one issue, nine of ten for being right, one for being fast.

After "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice

from trajectories.errors import UsageError
from trajectories.exports._groups import AS_GOOD, Candidate, by_cost, costs, groups, tools, whole
from trajectories.material import Material, Message

WHAT = "pairs of a better and a worse run of one issue, for TRL's DPOTrainer"
SEVERAL = True
RIGHT_TO_FAST = 9
"""Pairs for correctness to each for efficiency."""

Pair = tuple[Candidate, Candidate]


def export(runs: Sequence[Material]) -> Iterator[str]:
    """Raises UsageError where no two runs of one issue can be told apart."""
    right: list[Pair] = []
    fast: list[tuple[float, Pair]] = []
    for group in groups(runs):
        proven = by_cost([candidate for candidate in group if candidate.proven])
        failed = [candidate for candidate in group if not candidate.proven]
        right += _of_correctness(proven, failed)
        fast += _of_efficiency(proven)
    fast.sort(key=lambda pair: -pair[0])
    chosen = islice((pair for _, pair in fast), max(1, round(len(right) / RIGHT_TO_FAST)) if right else 0)
    if not right:
        raise UsageError(
            "No issue has both a proven run and one that failed, told alike.",
            "Export several runs of the same issues, with the same strategy and base.",
        )
    for number, pair in enumerate(right, 1):
        yield _row(pair, "correctness")
        if number % RIGHT_TO_FAST == 0 or number == len(right):
            for other in islice(chosen, 1):
                yield _row(other, "efficiency")


def _of_correctness(proven: Sequence[Candidate], failed: Sequence[Candidate]) -> list[Pair]:
    """Each in at least one pair, and in no more than that takes: pairs of all with all would weigh large groups."""
    if not proven or not failed:
        return []
    most = max(len(proven), len(failed))
    pairs = [(proven[number % len(proven)], failed[number % len(failed)]) for number in range(most)]
    return [pair for pair in pairs if _are_alike(*pair)]


def _of_efficiency(proven: Sequence[Candidate]) -> list[tuple[float, Pair]]:
    """The fastest with each that is clearly slower, and by how much."""
    if len(proven) < 2:
        return []
    _, taken = costs(proven)
    others = zip(proven[1:], taken[1:], strict=True)
    found = ((cost / max(taken[0], 1), (proven[0], other)) for other, cost in others)
    return [(times, pair) for times, pair in found if times > AS_GOOD and _are_alike(*pair)]


def _are_alike(one: Candidate, other: Candidate) -> bool:
    """Whether both were asked in the same way: prompts of the same words, and the same tools."""
    return one.record.tools == other.record.tools and _asked(one) == _asked(other)


def _asked(candidate: Candidate) -> str:
    prompts = candidate.run.trajectory.turns[0].prompts or candidate.record.prompts
    return prompts.get("coder", "")


def _row(pair: Pair, kind: str) -> str:
    better, worse = pair
    prompt, chosen = whole(better)
    _, rejected = whole(worse)
    unit, (chosen_cost, rejected_cost) = costs(pair)
    row: dict[str, str | int | list[Message]] = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    row |= {"tools": tools(better), "kind": kind, **better.about, "rejected_run": worse.run.name}
    row |= {"chosen_cost": chosen_cost, "rejected_cost": rejected_cost, "cost_in": unit}
    return json.dumps(row) + "\n"
