"""Predictions as SWE-bench's harness reads them: a patch a line, without the tests that came with it.

A run of a batch is named by its instance. Any other is by its issue's address (`octo__calc-7`), or by its own name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._telling import unicode
from trajectories.material import Material
from trajectories.records import Reply

WHAT = "SWE-bench's predictions, a patch a line, its source part only"
SEVERAL = True
OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}|errand-[0-9a-f]+")
"""What a run is called that nobody named."""
ADDRESS = re.compile(r"https?://[^/]+/([^/]+)/([^/]+)/(?:issues|pull)/(\d+)")
REPEATED = re.compile(r"(.+__.+-\d+)\.\d+")
"""The name of a later run of one instance."""


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


def instance_of(run: Material) -> str:
    record = run.trajectory.run
    address = ADDRESS.match(record.issue.url) if record else None
    if address and OURS.fullmatch(run.name):
        return f"{address[1]}__{address[2]}-{address[3]}"
    repeated = REPEATED.fullmatch(run.name)
    return repeated[1] if repeated else run.name


def model_of(run: Material) -> str:
    """The model that answered last, or the strategy that needed none."""
    turns = run.trajectory.turns
    models = (record.model for record in reversed(run.trajectory.records) if isinstance(record, Reply))
    return next(filter(None, models), "") or (turns[-1].strategy if turns else "") or "unknown"
