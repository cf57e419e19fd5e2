"""What the evaluation in a batch's folder says of the batch: of the run ids that its newest report names, and
only where what it tested is what the batch predicts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.batch.place import Done
from agent.evaluation.shelf import Shelf
from trajectories.errors import UsageError
from trajectories.limits import read_limited

EVALUATION, REPORT = "evaluation", "evaluation.json"


@dataclass(frozen=True, slots=True)
class _Run:
    id: str
    resolved: frozenset[str]
    failed: frozenset[str]
    empty: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """`folder` is the evaluation's; what was compared with it, and older run ids, are none of the batch's."""

    folder: Path
    model: str = ""
    runs: dict[int, _Run] = field(default_factory=dict)
    """By repeat."""

    def log(self, done: Done) -> Path | None:
        """The folder of the instance's logs, if they are of the prediction."""
        run = self.runs.get(done.repeat)
        if run is None or not self.model:
            return None
        log = Shelf(self.folder, run.id).of(self.model, done.instance)
        try:
            same = read_limited(log / "patch.diff", inside=self.folder) == done.patch.encode("utf-8", "replace")
        except (OSError, UsageError):
            return None
        return log if same else None

    def resolved(self, done: Done) -> bool | None:
        """Whether it resolves the instance; None where nobody has judged this patch."""
        run = self.runs.get(done.repeat)
        if run is None:
            return None
        if not done.patch.strip():
            return False if done.instance in run.empty else None
        if done.instance not in run.resolved | run.failed or self.log(done) is None:
            return None
        return done.instance in run.resolved


def read_verdicts(out: Path) -> Verdicts:
    """Those of the batch in `out`; none where it was never evaluated to the end, or the report cannot be read."""
    folder = out / EVALUATION
    try:
        told = json.loads((folder / REPORT).read_bytes())
        runs = [(str(each["run_id"]), each) for each in told["runs"]]
        found = {_repeat(name, runs[0][0], each): _run(name, each) for name, each in runs}
        return Verdicts(folder, str(told["model"]), found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Verdicts(folder)


def _repeat(run_id: str, first: str, told: dict[str, Any]) -> int:
    """Reports without a field for it have it in the run's name: evaluate, evaluate.2."""
    if isinstance(told.get("repeat"), int):
        return int(told["repeat"])
    return 1 if run_id == first else int(run_id.removeprefix(f"{first}."))


def _run(name: str, told: dict[str, Any]) -> _Run:
    failed = frozenset(told["unresolved"]) | frozenset(told["errors"])
    return _Run(name, frozenset(told["resolved"]), failed, frozenset(told["empty"]))
