"""Verdicts from the evaluation in a batch's folder.

Only the run ids in its newest report count, and only if the evaluation tested the batch's own predictions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extensions.lab.evaluation.grading_store import SUMMARY, GradingStore
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import UsageError
from trajectories.file_limits import read_limited

EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True)
class _Run:
    id: str
    resolved: frozenset[str]
    failed: frozenset[str]
    empty: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts of the evaluation in `folder` for the batch's own predictions and the run ids of the newest
    report."""

    folder: Path
    model: str = ""
    workspace: str = ""
    """The workspace of the evaluation; "" if an earlier version did not record it."""
    runs: dict[int, _Run] = field(default_factory=dict)
    """The evaluation's run for each repeat."""

    def log(self, done: JobResult) -> Path | None:
        """Return the folder of the instance's logs, if they belong to the prediction; else None."""
        run = self.runs.get(done.repeat)
        if run is None or not self.model:
            return None
        log = GradingStore(self.folder, run.id).of(self.model, done.instance)
        try:
            same = read_limited(log / "patch.diff", inside=self.folder) == done.patch.encode("utf-8", "replace")
        except (OSError, UsageError):
            return None
        return log if same else None

    def resolved(self, done: JobResult) -> bool | None:
        """Whether the prediction resolves the instance; None if this patch has not been judged."""
        run = self.runs.get(done.repeat)
        if run is None:
            return None
        if not done.patch.strip():
            return False if done.instance in run.empty else None
        if done.instance not in run.resolved | run.failed or self.log(done) is None:
            return None
        return done.instance in run.resolved


def read_verdicts(out: Path) -> Verdicts:
    """Return the verdicts of the batch in `out`; none if no evaluation has finished or the report is unreadable."""
    folder = out / EVALUATION
    try:
        report = json.loads((folder / SUMMARY).read_bytes())
        runs = [(str(each["run_id"]), each) for each in report["runs"]]
        found = {_repeat(name, runs[0][0], each): _run(name, each) for name, each in runs}
        return Verdicts(folder, str(report["model"]), str(report.get("workspace", "")), found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Verdicts(folder)


def _repeat(run_id: str, first: str, report: dict[str, Any]) -> int:
    """Return the repeat of a run: the report's own field or, without one, the number in a run id such as
    `evaluate.2`."""
    if isinstance(report.get("repeat"), int):
        return int(report["repeat"])
    return 1 if run_id == first else int(run_id.removeprefix(f"{first}."))


def _run(name: str, report: dict[str, Any]) -> _Run:
    failed = frozenset(report["unresolved"]) | frozenset(report["errors"]) - frozenset(report.get("no_verdict", ()))
    return _Run(name, frozenset(report["resolved"]), failed, frozenset(report["empty"]))
