"""Predictions for SWE-bench's harness: one patch per line, without the patch's changes to tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from extensions.lab.exports._record_text import instance_of, unicode
from trajectories.errors import UsageError
from trajectories.records import Reply
from trajectories.trajectory import RunView

WHAT = "SWE-bench's format for predictions, one per line, with the source part of the patch"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one line per run. Raises UsageError for two runs of one instance, since the harness accepts only one
    prediction for each."""
    named: dict[str, str] = {}
    for run in runs:
        instance = instance_of(run)
        if instance in named:
            raise UsageError(
                f"{named[instance]} and {run.name} are both runs of {instance}, which can have only one prediction.",
                "Export one of them.",
            )
        named[instance] = run.name
        row = {"instance_id": instance, "model_name_or_path": model_of(run), "model_patch": unicode(run.patch().source)}
        yield json.dumps(row) + "\n"


def model_of(run: RunView) -> str:
    """Return the model that replied last, or the strategy if no model replied."""
    turns = run.trajectory.turns
    models = (record.model for record in reversed(run.trajectory.records) if isinstance(record, Reply))
    return next(filter(None, models), "") or (turns[-1].strategy if turns else "") or "unknown"
