"""What fails on the base, found by running its tests: what a repair is to mend, and what it must not break."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aci.patch import is_test
from aci.regression import is_large, nearest_tests
from aci.reproduction import is_hasty
from aci.testing import limit_of, run_tests
from aci.trial import some
from agent.consent import REFUSED, may_test
from agent.moves.opening import places
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aci.report import Report, TestResult
    from agent.task import Task

HASTY = 10.0
"""Seconds that a test may take here. One that hangs is no secret for longer, and a search cannot use slower ones."""
TIMES_SLOWER = 20
"""A test that was cut off hangs, if the slowest of the others is so many times quicker; else it may just be slow."""
ASKED, SHARE = 3, 0.25
"""So many tests that were cut off are asked one by one whether they hang when they have all their time, or at most this
share of what the run has left."""
NEAREST = 12
"""Test files of a large suite that are run: those nearest to the likeliest places, and those of the given tests."""


def failing_tests(task: Task, given: Sequence[str]) -> dict[str, Any]:
    """`failing` tests, `passing` ones, the `command` that runs them, a `summary` in words and the `seconds` it took.

    To mend are the tests that the user gave, else those that the issue names, else all that fail. As JSON.
    """
    nothing: dict[str, Any] = {"command": "", "failing": [], "passing": [], "summary": REFUSED, "seconds": 0.0}
    if not may_test(task):
        return nothing
    limit = min(HASTY, limit_of(task.settings.test_timeout))
    try:
        near = _near(task, given)
        report = run_tests(task.workspace, task.settings.test, near, task.settings.test_timeout, limit)
        if near and not report.failed and not given:
            report = run_tests(task.workspace, report.command, (), task.settings.suite_time, limit)
        shown = run_tests(task.workspace, report.command, given, task.settings.test_timeout, limit) if given else None
        failing = _to_mend(task, report, shown)
        asked = _asked(task, shown if shown and shown.failed else report, failing)
    except UsageError as error:
        return nothing | {"summary": f"{error.message} {error.fix}"}
    finally:
        task.workspace.restore(task.tree)
    report = replace(report, results=tuple(asked.get(result.id, result) for result in report.results))
    if not near:
        _remember(task, report)
    slow = failing if asked and all(result.ok for result in asked.values()) else [id for id in asked if asked[id].ok]
    notes = [f"Slow, but not wrong: {some(slow)}."] if slow else []
    if shown is not None and not shown.failed:
        how = "pass, or are cut off" if shown.results else "are none that the tests have"
        notes.append(f"Those given ({some(given)}) {how}.")
    summary = " ".join([f"On the base: {report.summary()}.", *notes, *report.notes])
    if report.granularity != "test":
        return nothing | {"command": report.command, "summary": summary}
    return {
        "command": report.command,
        "failing": [id for id in failing if id not in slow],
        "passing": list(report.passed),
        "summary": summary,
        "seconds": report.seconds,
    }


def _asked(task: Task, report: Report, failing: Sequence[str]) -> dict[str, TestResult]:
    """Where all that is to be mended was cut off before its time: what some do with all of it, until one hangs.

    Where none of them does, the others are taken to be slow, too.
    """
    most = limit_of(task.settings.test_timeout)
    left = math.inf if task.cancel.deadline is None else task.cancel.deadline - time.monotonic()
    found: dict[str, TestResult] = {}
    if not all(is_hasty(report, id, most) for id in failing):
        return found
    for id in failing[:ASKED]:
        task.notify(f"Waiting for {id}, which was cut off, to see whether it hangs")
        again = run_tests(task.workspace, report.command, [id], task.settings.test_timeout, min(most, SHARE * left))
        result = again.find(id)
        if result is None or result.id != id:
            break
        found[id] = result
        if not result.ok:
            break
    return found


def _near(task: Task, given: Sequence[str]) -> tuple[str, ...]:
    """The test files to be run of a large suite; nothing where all of it is."""
    if task.settings.test or not is_large(task.trees, task.tree):
        return ()
    files = [node.partition("::")[0] for node in given]
    found = places(task)
    likely = [(hit["path"], hit.get("name", "")) for hit in (*found["functions"], *found["files"])]
    near = nearest_tests(task.trees, task.tree, [place for place in likely if not is_test(place[0])], NEAREST)
    return tuple(dict.fromkeys(file for file in (*files, *near) if file.endswith(".py")))


def _remember(task: Task, report: Report) -> None:
    """The proof need not run the suite without the patch again: this was the same, in a workspace as fresh."""
    if task.tree == task.base.tree and not task.is_later and not task.engine.resumed:
        task.engine.baselines.setdefault((task.base.tree, task.settings.test, None), report)


def _to_mend(task: Task, report: Report, shown: Report | None) -> list[str]:
    if shown is not None:
        return list(shown.failed)
    if named := [test for test in report.failed if _is_named(test, task.issue.text)]:
        return named
    hanging = {result.id for result in report.results if result.too_long}
    slowest = max((result.seconds for result in report.results if result.ok), default=0.0)
    if TIMES_SLOWER * slowest <= HASTY or hanging.issuperset(report.failed):
        return list(report.failed)
    return [test for test in report.failed if test not in hanging]


def _is_named(test: str, text: str) -> bool:
    name = test.partition("[")[0].replace("::", ".").rpartition(".")[2]
    return test in text or (len(name) > 5 and name in text)
