"""Preference optimization data: pairs of answers to one issue, with one efficiency pair for every nine correctness
pairs.

Based on "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from trajectories.errors import UsageError
from trajectories.exports._candidate_groups import (
    AS_GOOD,
    Candidate,
    as_line,
    by_cost,
    candidate_groups,
    costs,
    full_conversation,
    same_prompt_groups,
    tools,
)
from trajectories.trajectory import Message, RunView

WHAT = "pairs of a better and a worse run of one issue, for TRL's DPOTrainer"
ENDING = "jsonl"
SEVERAL = True
RIGHT_TO_FAST = 9
"""Number of correctness pairs per efficiency pair. Without correctness pairs, all efficiency pairs are exported."""

Pair = tuple[Candidate, Candidate]


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one line per pair. Raises UsageError if there is no pair of a better and a worse run of one issue."""
    right: list[Pair] = []
    fast: list[tuple[float, Pair]] = []
    for alike in chain.from_iterable(map(same_prompt_groups, candidate_groups(runs))):
        proven = by_cost([candidate for candidate in alike if candidate.proven])
        failed = [candidate for candidate in alike if not candidate.proven]
        right += _of_correctness(proven, failed)
        fast += _of_efficiency(proven)
    if not right and not fast:
        raise UsageError(
            "No issue has a proven run and another with the same prompt that failed or cost more.",
            "Export several runs of the same issues, with the same strategy and base.",
        )
    fast.sort(key=lambda pair: -pair[0])
    faster = iter([pair for _, pair in fast])
    for number, pair in enumerate(right, 1):
        yield _row(pair, "correctness")
        if number % RIGHT_TO_FAST == 0:
            for other in islice(faster, 1):
                yield _row(other, "efficiency")
    for other in faster if not right else ():
        yield _row(other, "efficiency")


def _of_correctness(proven: Sequence[Candidate], failed: Sequence[Candidate]) -> list[Pair]:
    """Pair proven with failed candidates so that each occurs at least once, with as few pairs as possible, because all
    combinations would give large groups too much weight."""
    if not proven or not failed:
        return []
    most = max(len(proven), len(failed))
    return [(proven[number % len(proven)], failed[number % len(failed)]) for number in range(most)]


def _of_efficiency(proven: Sequence[Candidate]) -> list[tuple[float, Pair]]:
    """Pair the fastest candidate with each clearly slower one, and return the cost ratio of each pair."""
    if len(proven) < 2:
        return []
    _, taken = costs(proven)
    others = zip(proven[1:], taken[1:], strict=True)
    found = ((cost / max(taken[0], 1), (proven[0], other)) for other, cost in others)
    return [(times, pair) for times, pair in found if times > AS_GOOD]


def _row(pair: Pair, kind: str) -> str:
    better, worse = pair
    prompt, chosen = full_conversation(better)
    _, rejected = full_conversation(worse)
    unit, (chosen_cost, rejected_cost) = costs(pair)
    row: dict[str, str | int | list[Message]] = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    row |= {"tools": tools(better), "kind": kind, **better.about, "rejected_run": worse.run.name}
    row |= {"chosen_cost": chosen_cost, "rejected_cost": rejected_cost, "cost_in": unit}
    return as_line(row)
