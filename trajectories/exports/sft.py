"""For supervised fine-tuning: of each issue the proven run that was fastest, as prompt and completion.

Execution-filtered (rejection sampling) fine-tuning: only what tests proved is learned from (after SWE-Gym, arXiv
2412.21139, and SWE-smith, arXiv 2504.21798); of several the cheapest, after arXiv 2508.20124.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._groups import as_line, by_cost, costs, groups, parts, tools
from trajectories.material import Material

WHAT = "fine-tuning on the fastest proven run of each issue, for TRL's SFTTrainer"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[Material]) -> Iterator[str]:
    """Raises UsageError where no run is proven."""
    told = False
    for group in groups(runs):
        proven = [candidate for candidate in group if candidate.proven]
        for candidate in by_cost(proven)[:1]:
            unit, (cost,) = costs([candidate])
            for prompt, completion in parts(candidate):
                told = True
                row = {"prompt": prompt, "completion": completion, "tools": tools(candidate)}
                yield as_line(row | candidate.about | {"cost": cost, "cost_in": unit})
    if not told:
        raise UsageError(
            "None of these runs of a model is proven.", "Export runs of one turn that ended verified, or faster."
        )
