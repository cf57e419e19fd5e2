"""Supervised fine-tuning data: one proven run of each issue, as prompt and completion.

This is execution-filtered (rejection sampling) fine-tuning: it uses only runs proven by tests (as in SWE-Gym, arXiv
2412.21139, and SWE-smith, arXiv 2504.21798) and, of those with the strongest verdict, the cheapest (as in arXiv
2508.20124). Issues
with the same text and runs with the same patch count once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extensions.lab.training.candidate_groups import Selection, best_first, columns, costs, select_candidates
from extensions.lab.training.candidate_messages import as_line, conversation_parts, tools
from extensions.lab.training.candidates import Candidate, Key
from trajectories.errors import UsageError
from trajectories.trajectory import RunView

WHAT = "the cheapest proven run of each issue, for fine-tuning with TRL's SFTTrainer"
ENDING = "jsonl"
SEVERAL = True
FILTERS = "Proven candidates only; of each issue text the cheapest with the strongest verdict; each patch once."


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield the rows for these runs; see `rows`."""
    return rows(select_candidates(runs))


def rows(selection: Selection, last_turn: bool = False) -> Iterator[str]:
    """Yield one line per part of a conversation; with `last_turn` only the last part, whose completion is the last
    reply, so that earlier replies are not trained. Raises UsageError if no run is proven."""
    chosen = _chosen(selection)
    if not chosen:
        raise UsageError(
            "None of these runs is a proven run with a model.", "Export runs of one turn that ended verified or faster."
        )
    for key, candidate in chosen:
        unit, (cost,) = costs([candidate])
        about = columns(candidate, key, selection.groups[key]) | {"cost": cost, "cost_in": unit}
        selection.use(candidate)
        parts = list(conversation_parts(candidate))
        if last_turn:
            branch, prompt, completion = next(part for part in reversed(parts) if part[0] == candidate.branches[0])
            last = max(at for at, message in enumerate(completion) if message["role"] == "assistant")
            parts = [(branch, prompt + completion[:last], completion[last : last + 1])]
        for branch, prompt, completion in parts:
            row = {"prompt": prompt, "completion": completion, "tools": tools(candidate)}
            yield as_line(row | about | {"branch": branch})


def _chosen(selection: Selection) -> list[tuple[str, Candidate]]:
    """Return the cheapest of each issue's candidates with the strongest verdict, with the key of its group."""
    issues: dict[str, list[Candidate]] = {}
    keys: dict[Key, str] = {}
    for key, group in selection.groups.items():
        selection.leave_out([each for each in group if not each.proven], "not proven")
        for candidate in group:
            keys[candidate.key] = key
            if candidate.proven:
                issues.setdefault(candidate.issue_key, []).append(candidate)
    chosen, patches = [], set()
    for proven in issues.values():
        first, *others = best_first(proven)
        selection.leave_out(others, "a cheaper run of the same issue text, or one with a stronger verdict, was used")
        if first.patch_key in patches:
            selection.leave_out([first], "another run with the same patch was used")
        else:
            patches.add(first.patch_key)
            chosen.append((keys[first.key], first))
    return chosen
