"""Preference optimization data: pairs of answers to one issue, with one efficiency pair for every nine correctness
pairs.

Based on "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from extensions.lab.training.candidate_groups import (
    AS_GOOD,
    Selection,
    best_first,
    columns,
    costs,
    select_candidates,
    strength,
)
from extensions.lab.training.candidate_messages import as_line, full_conversation, tools
from extensions.lab.training.candidates import Candidate
from extensions.lab.training.session_pairs import MAIN, SessionPair, session_pairs
from trajectories.errors import UsageError
from trajectories.trajectory import RunView

WHAT = "pairs of a better and a worse run of one issue, for TRL's DPOTrainer"
ENDING = "jsonl"
SEVERAL = True
RIGHT_TO_FAST = 9
"""Number of correctness pairs per efficiency pair. Without correctness pairs, all efficiency pairs are exported."""

FILTERS = "Pairs of candidates with the same issue, base and prompt: proven over not proven, cheap over expensive."


@dataclass(frozen=True)
class Pair:
    """Two candidates of the group with this key, and the quotient of their costs."""

    better: Candidate
    worse: Candidate
    key: str = ""
    times: float = 1.0


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield the rows for these runs; see `rows`."""
    return rows(select_candidates(runs))


def rows(selection: Selection) -> Iterator[str]:
    """Yield one line per pair. Raises UsageError if there is no pair of a better and a worse run of one issue."""
    right: list[Pair] = []
    fast: list[Pair] = []
    for key, group in selection.groups.items():
        proven = best_first([candidate for candidate in group if candidate.proven])
        failed = [candidate for candidate in group if not candidate.proven]
        pairs = _of_correctness(key, proven, failed), _of_efficiency(key, proven)
        right += pairs[0]
        fast += pairs[1]
        if not any(pairs):
            selection.leave_out(group, "no better or worse run with its prompt")
    preferred = [(run, pair) for run in selection.sessions for pair in session_pairs(run)]
    if not right and not fast and not preferred:
        raise UsageError(
            "No issue has a proven run and another with the same prompt that failed or cost more.",
            "Export several runs of the same issues, with the same strategy and base.",
        )
    fast.sort(key=lambda pair: -pair.times)
    faster = iter(fast)
    for number, pair in enumerate(right, 1):
        yield _row(selection, pair, "correctness")
        if number % RIGHT_TO_FAST == 0:
            for other in islice(faster, 1):
                yield _row(selection, other, "efficiency")
    for other in faster if not right else ():
        yield _row(selection, other, "efficiency")
    for run, preference in preferred:
        yield _session_row(run, preference)


def _of_correctness(key: str, proven: Sequence[Candidate], failed: Sequence[Candidate]) -> list[Pair]:
    """Pair proven with failed candidates so that each occurs at least once, with as few pairs as possible, because all
    combinations would give large groups too much weight."""
    if not proven or not failed:
        return []
    most = max(len(proven), len(failed))
    return [Pair(proven[number % len(proven)], failed[number % len(failed)], key) for number in range(most)]


def _of_efficiency(key: str, proven: Sequence[Candidate]) -> list[Pair]:
    """Pair the fastest candidate with each clearly slower one whose verdict is as strong."""
    proven = [each for each in proven if strength(each) == strength(proven[0])]
    if len(proven) < 2:
        return []
    _, taken = costs(proven)
    others = zip(proven[1:], taken[1:], strict=True)
    pairs = (Pair(proven[0], other, key, cost / max(taken[0], 1)) for other, cost in others)
    return [pair for pair in pairs if pair.times > AS_GOOD]


def _row(selection: Selection, pair: Pair, kind: str) -> str:
    better, worse = pair.better, pair.worse
    selection.use(better, worse)
    prompt, chosen = full_conversation(better)
    _, rejected = full_conversation(worse)
    unit, (chosen_cost, rejected_cost) = costs([better, worse])
    row: dict[str, Any] = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    row |= {"tools": tools(better), "kind": kind, **columns(better, pair.key, selection.groups[pair.key])}
    row |= {"rejected_run": worse.run.name}
    row |= {"chosen_cost": chosen_cost, "rejected_cost": rejected_cost, "cost_in": unit}
    return as_line(row)


def _session_row(run: RunView, pair: SessionPair) -> str:
    """Return a pair of turns of a session, with the columns of the other pairs; what is unknown is 0."""
    record = run.trajectory.run
    assert record is not None
    row: dict[str, Any] = {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
    row |= {"tools": json.dumps(record.tools), "kind": "session", "run": run.name, "branch": MAIN, "group": run.name}
    row |= {"issue": record.issue.title, "repository": record.repository, "base": record.base.commit}
    row |= {"verdict": "", "generality": "", "repeats": 2}
    row |= {"pass_rate": 0.0, "consistency": 0.0, "steps": 0, "tokens": 0, "dollars": 0.0, "rejected_run": run.name}
    return as_line(row | {"chosen_cost": 0, "rejected_cost": 0, "cost_in": "steps"})
