"""Predictions as SWE-bench's harness reads them: a patch a line, without the tests that came with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._telling import instance_of, unicode
from trajectories.material import Material
from trajectories.records import Reply

WHAT = "SWE-bench's predictions, a patch a line, its source part only"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[Material]) -> Iterator[str]:
    """Raises UsageError for two runs of one instance: the harness takes one prediction of each."""
    named: dict[str, str] = {}
    for run in runs:
        instance = instance_of(run)
        if instance in named:
            raise UsageError(
                f"{named[instance]} and {run.name} are both of {instance}, and one prediction is taken of each.",
                "Export one of them.",
            )
        named[instance] = run.name
        row = {"instance_id": instance, "model_name_or_path": model_of(run), "model_patch": unicode(run.patch().source)}
        yield json.dumps(row) + "\n"


def model_of(run: Material) -> str:
    """The model that answered last, or the strategy that needed none."""
    turns = run.trajectory.turns
    models = (record.model for record in reversed(run.trajectory.records) if isinstance(record, Reply))
    return next(filter(None, models), "") or (turns[-1].strategy if turns else "") or "unknown"
