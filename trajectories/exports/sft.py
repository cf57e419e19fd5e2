"""Supervised fine-tuning data: the cheapest proven run of each issue, as prompt and completion.

This is execution-filtered (rejection sampling) fine-tuning: it uses only runs proven by tests (as in SWE-Gym, arXiv
2412.21139, and SWE-smith, arXiv 2504.21798) and, if there are several, the cheapest (as in arXiv 2508.20124).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._candidate_groups import as_line, by_cost, candidate_groups, conversation_parts, costs, tools
from trajectories.trajectory import RunView

WHAT = "fine-tuning on the fastest proven run of each issue, for TRL's SFTTrainer"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one line per part of a conversation. Raises UsageError if no run is proven."""
    has_rows = False
    for group in candidate_groups(runs):
        proven = [candidate for candidate in group if candidate.proven]
        for candidate in by_cost(proven)[:1]:
            unit, (cost,) = costs([candidate])
            for prompt, completion in conversation_parts(candidate):
                has_rows = True
                row = {"prompt": prompt, "completion": completion, "tools": tools(candidate)}
                yield as_line(row | candidate.about | {"cost": cost, "cost_in": unit})
    if not has_rows:
        raise UsageError(
            "None of these runs is a proven run with a model.", "Export runs of one turn that ended verified or faster."
        )
