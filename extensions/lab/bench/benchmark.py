"""A benchmark: a sample of a data set, solved by a batch, graded by an evaluation, and summed up.

The batch and the evaluation keep their own records, so that the same command continues after an interruption.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from extensions.lab.batch.batch_driver import BatchSummary
from extensions.lab.batch.batch_options import BatchOptions
from extensions.lab.batch.batch_start import start_batch
from extensions.lab.batch.batch_summary import as_json
from extensions.lab.batch.reports.batch_results import read_results
from extensions.lab.batch.reports.evaluation_verdicts import EVALUATION
from extensions.lab.bench.published_results import published_results
from extensions.lab.evaluation.confidence_intervals import wilson
from extensions.lab.evaluation.evaluation import EvaluateOptions, evaluate
from extensions.lab.instances.dataset_instances import read_golds, read_instances, select
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import Cancelled, UsageError

VERDICTS = ("verified", "plausible", "disputed", "unproven", "none")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The options of a benchmark: those of its batch, and what it is compared with."""

    dataset: str
    """What the page calls the data set: a name, with its revision if it has one."""

    batch: BatchOptions
    published: Path | None = None
    leaderboard: str = ""
    """The folder of the data set below `evaluation/` in the leaderboard's repository."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One instance of the sample."""

    instance: str
    verdict: str
    """The verdict of swe-agent, `none` without a patch; "" if the instance was not run."""

    right: bool | None
    """Whether the hidden tests of the data set pass; None if there is no grade."""

    dollars: float | None
    seconds: float


def run_benchmark(asked: BenchOptions, say: Say, plain: bool = False) -> dict[str, Any]:
    """Solve the sample, grade it, and return the object that `bench --json` prints, without the paths of the page.

    A batch that ended early, for example because its total is used up, is graded as far as it came; the key `error`
    says why it ended. Raises UsageError before anything is solved if the row of a sampled instance has no tests; what
    `start_batch` and `evaluate` raise, Cancelled, and the batch's error if no instance has a result.
    """
    batch = asked.batch
    sample = [one.id for one in select(read_instances(batch.files), batch.filter, batch.slice, batch.seed)]
    _check_tests(sample, batch)
    published = published_results(asked.published, asked.leaderboard, sample) if asked.published else {}
    summary = start_batch(batch, plain)
    results = {done.instance: done for done in read_results(batch.out) if done.final}
    if isinstance(summary.error, Cancelled) or (summary.error and not results):
        raise summary.error
    graded = evaluate(_evaluation(asked, results), say)
    return _summed_up(asked, sample, results, graded, summary, published)


def _check_tests(sample: Sequence[str], batch: BatchOptions) -> None:
    golds = read_golds(batch.files)
    if missing := [name for name in sample if name not in golds]:
        what = (
            f"{len(missing)} of {len(sample)} sampled instances have no tests for grading, the first is {missing[0]}."
        )
        raise UsageError(what, "Give a data set whose rows have FAIL_TO_PASS or a test command.")


def _evaluation(asked: BenchOptions, ids: Collection[str]) -> EvaluateOptions:
    """Return the options of the evaluation of these instances of the batch."""
    batch = asked.batch
    return EvaluateOptions(
        instances=batch.files,
        predictions=str(batch.out),
        out=batch.out / EVALUATION,
        repos=batch.repos,
        workspace=batch.flags.get("workspace"),
        filter=f"^(?:{'|'.join(map(re.escape, sorted(ids)))})$",
        test=batch.flags.get("test") or "",
    )


def _summed_up(
    asked: BenchOptions,
    sample: Sequence[str],
    results: Mapping[str, JobResult],
    graded: Mapping[str, Any],
    summary: BatchSummary,
    published: Mapping[str, frozenset[str]],
) -> dict[str, Any]:
    rows = [_row(name, results.get(name), _grades(graded)) for name in sample]
    run = [row for row in rows if row.verdict]
    rated = [row for row in run if row.right is not None]
    right = [row for row in rated if row.right]
    theirs = [(-len(ids.intersection(row.instance for row in rated)), name) for name, ids in published.items()]
    verified = [row for row in rated if row.verdict == "verified"]
    verified_right = sum(bool(row.right) for row in verified)
    priced = all(row.dollars is not None for row in run)
    found: dict[str, Any] = {
        "set": asked.dataset,
        "model": graded["model"],
        "seed": asked.batch.seed,
        "instances": len(rows),
        "run": len(run),
        "rated": len(rated),
        "resolved": len(right),
        "interval": _interval(len(right), len(rated)),
        "verified": len(verified),
        "verified_right": verified_right,
        "verified_wrong": len(verified) - verified_right,
        "verified_wrong_interval": _interval(len(verified) - verified_right, len(verified)),
        "verdicts": {word: _counts([row for row in run if row.verdict == word]) for word in VERDICTS},
        "dollars": sum(row.dollars or 0.0 for row in run) if priced else None,
        "seconds": round(sum(row.seconds for row in run), 1),
        "median_seconds": round(median(row.seconds for row in run), 1) if run else None,
        "workspace": graded["workspace"],
        "environment_failures": graded["environment_failures"],
        "published": [{"name": name, "resolved": -count} for count, name in sorted(theirs)],
        "rows": [asdict(row) for row in rows],
        "out": str(asked.batch.out),
    }
    return found | {name: value for name, value in as_json(summary).items() if name == "error"}


def _grades(graded: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether each graded instance is resolved. A prediction without a verdict has no grade, as have instances
    that are quarantined."""
    [run] = graded["runs"]
    wrong = {*run["unresolved"], *run["empty"], *run["errors"]} - set(run["no_verdict"])
    return dict.fromkeys(wrong, False) | dict.fromkeys(run["resolved"], True)


def _row(name: str, done: JobResult | None, grades: Mapping[str, bool]) -> BenchRow:
    if done is None:
        return BenchRow(name, "", None, None, 0.0)
    return BenchRow(
        name, done.verdict if done.verdict in VERDICTS else "none", grades.get(name), done.dollars, done.seconds
    )


def _counts(rows: Sequence[BenchRow]) -> dict[str, int]:
    words = {"right": True, "wrong": False, "not_graded": None}
    return {word: sum(row.right is value for row in rows) for word, value in words.items()}


def _interval(hits: int, total: int) -> list[float] | None:
    """Return Wilson's interval at 95 %; None for no instance."""
    if not total:
        return None
    found = wilson(hits, total)
    return [found.low, found.high]
