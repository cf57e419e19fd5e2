"""The failure report of a batch: one page, made from `results.jsonl` and the runs' journals alone.

Results and journals are read one run at a time, and rows are buffered on disk until the statistics above them are
known, so ten thousand runs take little more memory than ten.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO

from extensions.lab.batch.reports.batch_results import current_lines, decode
from extensions.lab.batch.reports.evaluation_verdicts import Verdicts, read_verdicts
from extensions.lab.batch.reports.failure_page import END, GROUP_END, group, page_beginning, row
from extensions.lab.batch.reports.failure_statistics import Case, FailureStatistics, GoldRank
from extensions.lab.batch.reports.outcome_reasons import OUTCOME_REASONS, outcome_reason
from extensions.lab.batch.reports.run_diagnosis import changed_base_files, changed_files, diagnose, worst_rank
from extensions.lab.instances.append_log import write_error
from extensions.lab.instances.jobs import JobResult
from trajectories.journal import open_new

PAGE = "failures.html"


def write_failures(out: Path, golds: Mapping[str, str] | None = None) -> Path:
    """Write the failure page of the batch in `out` and return its path.

    The newest evaluation in `out/evaluation` decides whether a patch is resolved; the run's own verdict decides if the
    evaluation did not judge the patch. With the gold patches `golds`, the page shows how well localization worked.

    Raises WorkspaceError if it cannot be written. Unreadable data is shown as such.
    """
    verdicts = read_verdicts(out)
    survey = FailureStatistics(graded=bool(verdicts.runs), golds=bool(golds))
    target = out / PAGE
    beside = out / f".{PAGE}.new"
    try:
        with ExitStack() as stack:
            rows = {
                name: stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for name in OUTCOME_REASONS
            }
            for done in _results(out, survey):
                case = _case(out, done, verdicts, golds or {})
                survey.add(case)
                if not case.solved:
                    rows[case.cause].write(row(case))
            with os.fdopen(open_new(beside), "w", encoding="utf-8") as file:
                file.write(page_beginning(survey, out.name))
                for name in OUTCOME_REASONS:
                    if count := survey.failed[name]:
                        file.write(group(name, count))
                        _copy(rows[name], file)
                        file.write(GROUP_END)
                file.write(END)
        beside.replace(target)
    except OSError as error:
        raise write_error(target, error) from error
    return target


def _copy(rows: IO[str], file: IO[str]) -> None:
    rows.seek(0)
    shutil.copyfileobj(rows, file)


def _results(out: Path, survey: FailureStatistics) -> Iterator[JobResult]:
    """Yield the results; count lines that are not results."""
    for line in current_lines(out):
        try:
            yield decode(line)[0]
        except ValueError:
            survey.unreadable += 1


def _case(out: Path, done: JobResult, verdicts: Verdicts, golds: Mapping[str, str]) -> Case:
    diagnosis = diagnose(out / "runs" / done.run)
    found = None
    if gold := golds.get(done.instance):
        wanted, edited = changed_base_files(gold), changed_files(done.patch)
        if wanted:
            rank = None if diagnosis.ranked is None else worst_rank(diagnosis.ranked, wanted)
            found = GoldRank(rank, len(wanted & edited), len(wanted))
    why = outcome_reason(done)
    judged = verdicts.resolved(done)
    return Case(
        done=replace(done, patch=""),
        patch=bool(done.patch),
        cause=why,
        solved=why == "verified" if judged is None else judged,
        resolved=judged,
        diagnosis=replace(diagnosis, ranked=None),
        found=found,
    )
