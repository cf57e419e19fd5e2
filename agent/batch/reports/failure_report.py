"""What failed in a batch, and where: one page, made of `results.jsonl` and the runs' journals alone.

A line of the results and its run's journal are read at a time, and rows wait on disk until the figures above them are
known: ten thousand runs take little more memory than ten.
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

from agent.batch.appended import no_room
from agent.batch.causes import CAUSES, cause
from agent.batch.diagnosis import changed, diagnose, existing, worst_rank
from agent.batch.failures_page import END, GROUP_END, above, group, row
from agent.batch.place import Done
from agent.batch.store import decode, standing_lines
from agent.batch.survey import Case, Found, Survey
from agent.batch.verdicts import Verdicts, read_verdicts
from trajectories.journal import open_new

PAGE = "failures.html"


def write_failures(out: Path, golds: Mapping[str, str] | None = None) -> Path:
    """Write the page of the batch in `out` and return its path. Where the newest evaluation in `out/evaluation`
    has judged a patch, it says whether that is resolved; else the run's own verdict does. With `golds`, patches that
    solve the instances, it says how well places were found.

    Raises WorkspaceError where it cannot be written; what cannot be read is shown as that.
    """
    verdicts = read_verdicts(out)
    survey = Survey(graded=bool(verdicts.runs), golds=bool(golds))
    target = out / PAGE
    beside = out / f".{PAGE}.new"
    try:
        with ExitStack() as stack:
            rows = {name: stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for name in CAUSES}
            for done in _results(out, survey):
                case = _case(out, done, verdicts, golds or {})
                survey.add(case)
                if not case.solved:
                    rows[case.cause].write(row(case))
            with os.fdopen(open_new(beside), "w", encoding="utf-8") as file:
                file.write(above(survey, out.name))
                for name in CAUSES:
                    if count := survey.failed[name]:
                        file.write(group(name, count))
                        _copy(rows[name], file)
                        file.write(GROUP_END)
                file.write(END)
        beside.replace(target)
    except OSError as error:
        raise no_room(target, error) from error
    return target


def _copy(rows: IO[str], file: IO[str]) -> None:
    rows.seek(0)
    shutil.copyfileobj(rows, file)


def _results(out: Path, survey: Survey) -> Iterator[Done]:
    """What is done, a line at a time; a line that is no result is counted."""
    for line in standing_lines(out):
        try:
            yield decode(line)[0]
        except ValueError:
            survey.unreadable += 1


def _case(out: Path, done: Done, verdicts: Verdicts, golds: Mapping[str, str]) -> Case:
    diagnosis = diagnose(out / "runs" / done.run)
    found = None
    if gold := golds.get(done.instance):
        wanted, edited = existing(gold), changed(done.patch)
        if wanted:
            rank = None if diagnosis.ranked is None else worst_rank(diagnosis.ranked, wanted)
            found = Found(rank, len(wanted & edited), len(wanted))
    why = cause(done)
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
