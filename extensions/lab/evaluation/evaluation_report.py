"""Reports of an evaluation as JSON objects: SWE-bench's run report, and a summary with confidence intervals."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from extensions.lab.evaluation.confidence_intervals import Interval, repeat_statistics, wilson
from extensions.lab.evaluation.grading_queue import Outcome, Plan
from extensions.lab.evaluation.grading_store import IMAGES, path_part, workspace_of_report
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.evaluation.prediction_comparison import Comparison, Outcomes
from extensions.lab.evaluation.predictions import Predictions
from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import check_values, read_limited

SCHEMA = 2
"""Schema version of SWE-bench's run report, as swebench 4 writes it (harness/reporting.py)."""


@dataclass(frozen=True, slots=True)
class ReportCounts:
    """The instance ids of one run id, grouped by outcome; each is in `total` and in one of the outcomes.

    `errors` are instances without a verdict or with a patch that does not apply; the former are also in `no_verdict`,
    and `missing` are instances without a prediction. None of them counts as resolved.
    """

    run: str
    model: str
    total: tuple[str, ...]
    resolved: tuple[str, ...]
    unresolved: tuple[str, ...]
    empty: tuple[str, ...]
    errors: tuple[str, ...]
    no_verdict: tuple[str, ...]
    missing: tuple[str, ...]
    flaky: Mapping[str, tuple[str, ...]]

    @property
    def file(self) -> str:
        return f"{path_part(self.model.replace('/', '__'))}.{self.run}.json"


def count_outcomes(
    run: str, predictions: Predictions, ids: Collection[str], verdicts: Mapping[str, GradingResult]
) -> ReportCounts:
    """Group instances by the outcome of their predictions; `ids` are the instances that are not quarantined."""
    given = [name for name in sorted(ids) if name in predictions]
    done = [name for name in given if name in verdicts and verdicts[name].applied and not verdicts[name].error]
    empty = tuple(name for name in given if predictions[name].empty)
    sorted_out = {*done, *empty}
    return ReportCounts(
        run=run,
        model=next(iter(predictions.values())).model,
        total=tuple(sorted(ids)),
        resolved=tuple(name for name in done if verdicts[name].resolved),
        unresolved=tuple(name for name in done if not verdicts[name].resolved),
        empty=empty,
        errors=tuple(name for name in given if name not in sorted_out),
        no_verdict=tuple(
            name for name in given if name not in empty and (name not in verdicts or verdicts[name].error)
        ),
        missing=tuple(name for name in sorted(ids) if name not in predictions),
        flaky={name: graded.flaky for name, graded in sorted(verdicts.items()) if graded.flaky},
    )


def run_report(found: ReportCounts, quarantined: Collection[str] = (), workspace: str = IMAGES) -> dict[str, Any]:
    """Return the run report with the keys of SWE-bench's `make_run_report`, plus the ids of quarantined instances, and
    the workspace of grades that do not come from images."""
    completed = sorted(found.resolved + found.unresolved)
    submitted = sorted(set(found.total) - set(found.missing))
    report = {
        "total_instances": len(found.total),
        "submitted_instances": len(submitted),
        "completed_instances": len(completed),
        "resolved_instances": len(found.resolved),
        "unresolved_instances": len(found.unresolved),
        "empty_patch_instances": len(found.empty),
        "error_instances": len(found.errors),
        "completed_ids": completed,
        "incomplete_ids": list(found.missing),
        "empty_patch_ids": list(found.empty),
        "submitted_ids": submitted,
        "resolved_ids": list(found.resolved),
        "unresolved_ids": list(found.unresolved),
        "error_ids": list(found.errors),
        "schema_version": SCHEMA,
        "unstopped_instances": 0,
        "unstopped_containers": [],
        "unremoved_images": [],
    }
    own = {"quarantined_ids": sorted(quarantined)} if quarantined else {}
    return report | own | ({"workspace": workspace} if workspace != IMAGES else {})


def outcomes(runs: Collection[ReportCounts]) -> dict[str, list[bool]]:
    """Return for each instance whether each run resolved it; instances without a prediction are left out."""
    submitted = {name for run in runs for name in set(run.total) - set(run.missing)}
    resolved = [frozenset(run.resolved) for run in runs]
    return {name: [name in run for run in resolved] for name in sorted(submitted)}


def read_outcomes(path: Path) -> Outcomes | None:
    """Return the outcomes in a run report, or None if the file is not a run report. Raises UsageError for an incomplete
    report."""
    try:
        data = read_limited(path)
        check_values(data, str(path))
        found = json.loads(data)
        if not isinstance(found, dict) or "resolved_ids" not in found:
            return None
        resolved = frozenset(found["resolved_ids"])
        return {name: [name in resolved] for name in found["submitted_ids"]}
    except (OSError, ValueError, RecursionError, UsageError):
        return None
    except (KeyError, TypeError):
        raise UsageError(
            f"{path} is not a complete run report.", "Give predictions, or a report with submitted_ids."
        ) from None


def check_same_workspace(path: Path, workspace: str) -> None:
    """Raise UsageError if the run report in `path` comes from another workspace, or from an unknown one."""
    theirs = workspace_of_report(path)
    if not theirs:
        raise UsageError(
            f"The grades in {path} come from an earlier version, which did not record their workspace.",
            "Run that evaluation again with the same --out, or give its predictions to --compare.",
        )
    if theirs != workspace:
        raise UsageError(
            f"The grades in {path} come from the workspace {theirs}, not from {workspace}: they are not comparable.",
            "Grade both with the same --workspace.",
        )


def is_rated(runs: Collection[ReportCounts], names: Collection[str] | None = None) -> bool:
    """Return whether a rate says something about the predictions for these instances (default: all): without a single
    verdict, it would say that they resolve nothing."""
    judged, failed = set[str](), set[str]()
    for run in runs:
        failed |= set(run.no_verdict)
        judged |= {*run.resolved, *run.unresolved, *run.errors} - set(run.no_verdict)
    wanted = judged | failed if names is None else set(names)
    return bool(wanted & judged) or not wanted & failed


def summary(plan: Plan, outcome: Outcome, runs: list[ReportCounts]) -> dict[str, Any]:
    """Return the object that `--json` prints, without the workspace and the comparison; the rates cover all instances
    that are not quarantined, except where none has a verdict."""
    ids = runs[0].total
    by_repository: dict[str, list[str]] = {}
    for name in ids:
        by_repository.setdefault(plan.cases[name].instance.repo, []).append(name)
    return {
        "model": runs[0].model,
        "total": len(ids),
        **_rate(list(ids), runs),
        "environment_failures": sum(
            graded.infrastructure for verdicts in outcome.verdicts.values() for graded in verdicts.values()
        ),
        "runs": [_run(run, plan.out) for run in runs],
        "quarantined": dict(outcome.quarantined),
        "repositories": {repo: {"total": len(names), **_rate(names, runs)} for repo, names in by_repository.items()},
        "repeats": _repeats(ids, runs),
        "out": str(plan.out),
    }


def _rate(ids: list[str], runs: list[ReportCounts]) -> dict[str, Any]:
    """Return the share of resolved instances, with Wilson's interval for a single run or a bootstrap interval of the
    mean for several runs, and the number of predictions without a verdict."""
    failed = {"no_verdict": sum(name in run.no_verdict for run in runs for name in ids)}
    if not ids or not is_rated(runs, ids):
        return {"resolved": 0, "rate": None, "interval": None, **failed}
    resolved = [set(run.resolved) for run in runs]
    rows = [[name in run for run in resolved] for name in ids]
    hits = sum(map(sum, rows))
    interval = wilson(hits, len(ids)) if len(resolved) == 1 else repeat_statistics(rows).interval
    mean = hits if len(resolved) == 1 else hits / len(resolved)
    return {"resolved": mean, "rate": hits / len(resolved) / len(ids), "interval": _pair(interval), **failed}


def _repeats(ids: Collection[str], runs: list[ReportCounts]) -> dict[str, Any] | None:
    if len(runs) == 1 or not ids or not is_rated(runs):
        return None
    resolved = [set(run.resolved) for run in runs]
    found = repeat_statistics([[name in run for run in resolved] for name in ids])
    at = {str(k): value for k, value in enumerate(found.pass_at, 1)}
    return {"rates": list(found.rates), "mean": found.mean, "variance": found.variance, "pass_at": at}


def _run(run: ReportCounts, out: Path) -> dict[str, Any]:
    names = "resolved", "unresolved", "empty", "errors", "no_verdict", "missing"
    lists: dict[str, Any] = {name: list(getattr(run, name)) for name in names}
    return {"run_id": run.run, "report": str(out / run.file), **lists, "flaky": dict(run.flaky)}


def compare_reports(found: Comparison, other: str) -> dict[str, Any]:
    """Return the comparison of `other` (first) with the evaluated predictions (second) as a JSON object."""
    fields = asdict(found) | {"interval": _pair(found.interval), "means_interval": _pair(found.means_interval)}
    if found.costs:
        fields["costs"] |= {"interval": _pair(found.costs.interval)}
    return {"with": other, **fields}


def _pair(interval: Interval | None) -> list[float] | None:
    return [interval.low, interval.high] if interval else None


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Write an object atomically. Raises WorkspaceError."""
    torn = path.with_name(f".{path.name}.torn")
    try:
        torn.write_text(json.dumps(report, indent=4) + "\n", "utf-8")
        torn.replace(path)
    except OSError as error:
        fix = "Free disk space, then start the evaluation again."
        raise WorkspaceError(f"{path} cannot be written: {error.strerror}.", fix) from error
