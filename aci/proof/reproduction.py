"""Parts 1 to 3 of a proof: which tests show the issue; red without the patch, green with it, red again without."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace

from aci import evidence
from aci.testing import Report, TestResult, limit_of
from aci.trial import Trial, fails, passes, some
from aci.workspace import Workspace
from trajectories.errors import UsageError
from trajectories.records import Verdict

LEAST, LEAST_UNKNOWN, TIMES_SLOWER = 2.0, 10.0, 20
"""A test that may hang without the patch is waited for so many seconds, more where the suite did not see it fail, or so
many times what it takes with the patch."""
LONG = 5.0
"""Seconds that failing tests take from which on they are not run a second time if the suite has seen them fail too."""
ASKED = 3
"""Of tests that were only seen to be cut off before their time, so many are asked one by one whether they hang."""
NEARLY = 0.9
"""A test that was cut off after this share of the longest that a test may take had all its time."""


def mended(trial: Trial, baseline: Report | None, suite: Report | None, places: Sequence[str]) -> tuple[str, ...]:
    """The tests failing on the base that pass with the patch and are tied to the issue; says how they are."""
    mended_by: dict[str, list[str]] = {}
    failing = [result for result in baseline.results if result.bad] if baseline else []
    for result in failing:
        now = _tests_of(suite, result.id)
        if now and all(test.ok for test in now):
            how = _tie(trial, replace(result, path=result.path or now[0].path), places)
            mended_by.setdefault(how, []).append(result.id)
    for how, ids in mended_by.items():
        trial.note(f"Failing before and mended, {how or 'but not tied to the issue, so not counted'}: {some(ids)}.")
    return tuple(id for how, ids in mended_by.items() if how for id in ids)


def _tie(trial: Trial, result: TestResult, places: Sequence[str]) -> str:
    if evidence.named_in(trial.issue.text, result.id, result.path):
        return "named in the issue"
    try:
        source = trial.trees.read(trial.base, result.path).decode("utf-8", "replace") if result.path else ""
    except (OSError, UsageError):
        source = ""
    how = evidence.touches(result, source, places)
    return how and f"{how}, a likely place of the issue"


def reproduce(
    trial: Trial,
    before: Workspace,
    after: Workspace,
    nodes: Sequence[str],
    given: bool,
    baseline: Report | None,
    suite: Report | None,
) -> Verdict:
    """Judge red, green and red again by these tests; `given` ones must all pass in the end.

    Red must be seen twice in a row, so that a test that passes every other time shows nothing; where that takes long,
    the suite's run without the patch is the first time. Red again is tried where the patched code has run, and green
    once more after it, so that what that run left behind shows nothing either.
    Where a test hangs without the patch nobody waits for longer than many times what it takes with it; but where no
    test is red for another reason, one has to hang for as long as a test may take.
    """
    green = trial.only(after, nodes, trial.proved) if nodes else None
    each = _patience(trial, green)
    unknown = max(each, min(LEAST_UNKNOWN, limit_of(trial.timeout)))
    known = all(fails(baseline, node) for node in nodes)
    red = trial.only(before, nodes, trial.without, each if known else unknown) if nodes else None
    missing = [node for node in nodes if not _is_found(node, red, green)] if given else []
    if missing and (baseline is None or baseline.granularity != "command"):
        trial.note(f"Not found among the tests, without or with the patch: {some(missing)}.")
    if red is None and green is None:
        return _by_code(trial, before, after, baseline)
    failing = [result.id for result in red.results if is_red(trial, red, result.id)] if red else []
    turned = [result.id for result in green.results if result.ok and is_red(trial, red, result.id)] if green else []
    slow = _only_slow(trial, before, turned, red, baseline)
    tests = tuple(id for id in turned if id not in slow)
    left = _still_failing(red, green, baseline, given)
    if left:
        trial.note(f"Still failing with the patch: {some(left)}.")
        trial.failed(green, left)
    if not tests:
        trial.note("No test fails without the patch and passes with it.")
        red_ones = [id for id in failing if id not in slow]
        return Verdict(red=bool(red_ones), green=False if red_ones else None)
    is_known = trial.without == trial.base and all(fails(baseline, id) for id in tests)
    red_twice = red if is_known and red and red.seconds >= LONG else trial.only(before, tests, trial.without, each)
    if passing := [id for id in tests if not is_red(trial, red_twice, id)]:
        trial.note(f"Failed without the patch once, and not the second time: {some(passing)}.")
        return Verdict(red=False, green=False)
    again = trial.only(after, tests, trial.without, each)
    once_more = trial.only(after, tests, trial.proved)
    if unmoved := [id for id in tests if not is_red(trial, again, id)]:
        trial.note(f"Passing without the source hunks too, so for another reason: {some(unmoved)}.")
    if unsteady := [id for id in tests if not passes(once_more, id) or fails(suite, id)]:
        trial.note(f"Passed with the patch once, and not every time: {some(unsteady)}.")
    complete = bool(green and green.complete)
    if crashed := bool(green and green.code > 2 and baseline and baseline.ended_well and not green.ended_well):
        trial.note(
            f"With the patch the tests exit with {green.code if green else 0}, which their results do not explain."
        )
    return Verdict(
        red=True, green=complete and not (left or unsteady or crashed or missing), red_again=not unmoved, tests=tests
    )


def _patience(trial: Trial, green: Report | None) -> float:
    """The seconds that a test may take without the patch, by what it takes with it; what sets it up takes no longer
    than all of that run."""
    most = limit_of(trial.timeout)
    taken = [result.seconds for result in green.results if result.ok] if green else []
    if green is None or not taken:
        return most
    return min(most, max(LEAST, TIMES_SLOWER * max(taken), green.seconds))


def is_red(trial: Trial, report: Report | None, id: str) -> bool:
    """Whether the test fails there for a reason that counts."""
    result = report.find(id) if report else None
    if result is None or not result.bad:
        return False
    name = evidence.missing_name(result)
    if name and not evidence.adds_name(trial.parts.diff, trial.parts.added, name):
        trial.note(f"Failing only because {name!r} is missing, which the patch does not add, is not counted.")
        return False
    return True


def _only_slow(
    trial: Trial, before: Workspace, turned: Sequence[str], red: Report | None, baseline: Report | None
) -> set[str]:
    """Those of the tests that turned green which may just take longer than was waited for.

    That one is surely red vouches for the others, which were cut off beside it: the verdict can stand on that one.
    """
    cut = [id for id in turned if not _is_surely_red(trial, red, id)]
    slow = {id for id in cut if passes(baseline, id)}
    asked = [id for id in cut if id not in slow]
    if not asked or len(cut) < len(turned) or any(_is_surely_red(trial, baseline, id) for id in asked):
        return slow
    for id in asked[:ASKED]:
        trial.say(f"Waiting for {id} without the patch: it was cut off before its time")
        if _is_surely_red(trial, trial.only(before, [id], trial.without), id):
            return slow
        slow.add(id)
    trial.note(f"Cut off before their time without the patch, and only slow: {some(asked)}.")
    return {*slow, *asked}


def _is_surely_red(trial: Trial, report: Report | None, id: str) -> bool:
    """Whether the test failed there, and not for want of time."""
    return fails(report, id) and not is_hasty(report, id, limit_of(trial.timeout))


def is_hasty(report: Report | None, id: str, most: float) -> bool:
    """Whether a test was cut off before the `most` seconds that a test may take: it could be slow, and not wrong."""
    result = report.find(id) if report else None
    return bool(result and result.too_long and result.seconds < NEARLY * most)


def _still_failing(red: Report | None, green: Report | None, baseline: Report | None, given: bool) -> list[str]:
    """Tests that fail with the patch; if they were not given, only those that do not fail on the base anyway."""
    known = set(baseline.failed) if baseline and not given else set()
    broken = set(green.failed) - known if green else set()
    vanished = {id for id in red.failed if not _tests_of(green, id)} if red and given else set()
    return sorted(broken | vanished)


def _tests_of(report: Report | None, id: str) -> list[TestResult]:
    """The test's result; for a file, module or class that could not be loaded elsewhere, those of its tests."""
    if report is None:
        return []
    if same := report.find(id):
        return [same]
    inside = (f"{id}::", f"{id}.", f"{id}[")
    return [result for result in report.results if result.id.startswith(inside)]


def _is_found(node: str, *reports: Report | None) -> bool:
    """Whether a node (a file, folder, test or group of tests) has a result in one of the reports."""
    wanted = dotted(node)
    below = re.compile(rf"{re.escape(wanted)}(?:[.\[]|$)")
    for report in reports:
        if report and report.find(node):
            return True
        for result in report.results if report else ():
            module = result.path.rpartition("/")[2].removesuffix(".py")
            inside = result.id.partition("::")[2] or result.id.rpartition(f"{module}.")[2]
            names = [dotted(result.id), dotted(f"{result.path}::{inside}")]
            not_loaded = not result.path and f".{wanted}".endswith(f".{result.id}")
            if not_loaded or any(below.match(name) for name in names):
                return True
    return False


def dotted(node: str) -> str:
    """A node's name in the form that pytest's and unittest's ids share."""
    path, colons, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        path = re.sub(r"\.py$", "", posixpath.normpath(path)).strip("/").replace("/", ".")
    return path + colons.replace("::", ".") + rest.replace("::", ".")


def _by_code(trial: Trial, before: Workspace, after: Workspace, baseline: Report | None) -> Verdict:
    """Where no single test can be run: the command's exit code, if new tests of the patch turn a green base red."""
    if baseline is None or baseline.granularity != "command" or not trial.parts.tests:
        trial.note("No test reproduces the issue.")
        return Verdict()
    verdict = Verdict(granularity="command")
    if baseline.code:
        return verdict
    red = all(trial.code(before, trial.without) != 0 for _ in range(2))
    green = trial.code(after, trial.proved) == 0
    return replace(verdict, red=red, green=green, red_again=trial.code(after, trial.without) != 0)
