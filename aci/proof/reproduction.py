"""Parts 1 to 3 of a proof: tests that show the issue are red without the patch, green with it, and red again."""

from __future__ import annotations

import posixpath
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from aci.observation.activity_message import ActivityMessage
from aci.proof import evidence
from aci.proof.canary_tests import CanaryTests, create_canary_tests
from aci.proof.compiled_tests import missing_names
from aci.proof.existing_tests import code_words, find_test
from aci.proof.experiments import KIND, TestProcess, recorded_process
from aci.proof.fact_words import NOT_RED, NOT_REPRODUCED, fixed_tests
from aci.proof.failure_reason import is_mentioned
from aci.proof.proof_run import DEFINED, ProofRun, base_sources, fails, format_names, passes
from aci.repository.added_tests import COPY
from aci.runtime.workspace import Workspace
from aci.testing.suite_run import SuiteReport, TestResult, limit_per_test
from trajectories.errors import UsageError
from trajectories.plugins import installed_module
from trajectories.verdict import Verdict

LEAST, LEAST_UNKNOWN, TIMES_SLOWER = 2.0, 10.0, 20
"""Parameters of the time limit of a test that may hang without the patch: the longest of LEAST seconds, LEAST_UNKNOWN
seconds if it did not fail in the suite, and TIMES_SLOWER times its duration with the patch."""
LONG = 5.0
"""If failing tests take at least this many seconds and also failed in the suite, they are run once less."""
MOST_WAITED = 3
"""Maximum number of tests that are rerun alone with the full time limit to see if they hang, if every test was ended
early."""
RANDOM = random.SystemRandom()
LONGEST_ERROR = 200
NEARLY = 0.9
"""A test that ran for at least this share of its full time limit before it was ended is not considered ended early."""


def find_fixed_tests(
    trial: ProofRun, baseline: SuiteReport | None, suite: SuiteReport | None, places: Sequence[str]
) -> tuple[str, ...]:
    """Return the tests that fail on the base, pass with the patch and are tied to the issue; note how they are tied."""
    fixed_by_tie: dict[str, list[str]] = {}
    failing = [result for result in baseline.results if result.bad] if baseline else []
    for result in failing:
        now = _tests_of(suite, result.id)
        if now and all(test.ok for test in now):
            how = _tie(trial, replace(result, path=result.path or now[0].path), places)
            fixed_by_tie.setdefault(how, []).append(result.id)
    for how, ids in fixed_by_tie.items():
        trial.add(fixed_tests(ids, how))
    return tuple(id for how, ids in fixed_by_tie.items() if how for id in ids)


def _tie(trial: ProofRun, result: TestResult, places: Sequence[str]) -> str:
    if evidence.is_named_in(trial.issue.text, result.id, result.path):
        return "named in the issue"
    try:
        source = trial.trees.read(trial.base, result.path).decode("utf-8", "replace") if result.path else ""
    except (OSError, UsageError):
        source = ""
    how = evidence.describe_contact(result, source, places)
    return how and f"{how}, a likely place of the issue"


def judge_reproduction(
    trial: ProofRun,
    before: Workspace,
    after: Workspace,
    nodes: Sequence[str],
    given: bool,
    baseline: SuiteReport | None,
    suite: SuiteReport | None,
) -> Verdict:
    """Use these tests to judge red, green and red again; if they were `given`, all of them must pass with the patch.

    Both are seen at least twice. The repeated runs use the workspace in which the patched code has run, so that files
    left behind by earlier runs do not affect the result. Their number without and with the patch, and their order, are
    random, since a test may count its own runs.

    A test that hangs without the patch is ended after TIMES_SLOWER times its duration with the patch. However, if no
    test fails for another reason, at least one must hang for the full time limit of a test.
    """
    green = trial.only(after, nodes, trial.proved) if nodes else None
    each = _patience(trial, green)
    unknown = max(each, min(LEAST_UNKNOWN, limit_per_test(trial.timeout)))
    known = all(fails(baseline, node) for node in nodes)
    passing = [result for result in green.results if result.ok] if green else []
    in_pytest = bool(passing) and "::" in passing[-1].id
    canary = create_canary_tests(trial, passing[-1].path if passing else "", in_pytest)
    red = canary.run_without_patch(before, nodes, each if known else unknown) if nodes else None
    missing = [node for node in nodes if not _is_found(node, red, green)] if given else []
    if missing and (baseline is None or baseline.granularity != "command"):
        trial.note(f"Not found among the tests, without or with the patch: {format_names(missing)}.")
    if red is None and green is None:
        return _by_code(trial, before, after, baseline)
    failing = [result.id for result in red.results if is_red(trial, red, result.id)] if red else []
    turned = [result.id for result in green.results if result.ok and is_red(trial, red, result.id)] if green else []
    turned = [id for id in turned if not (id in trial.unbuilt and passes(baseline, id)) or _is_changed(trial, id)]
    slow = _only_slow(trial, before, turned, red, baseline)
    tests = tuple(id for id in turned if id not in slow)
    still_failing = _still_failing(red, green, baseline, given)
    if still_failing:
        trial.note(f"Still failing with the patch: {format_names(still_failing)}.")
        trial.failed(green, still_failing)
    if not tests:
        trial.add(NOT_RED)
        red_ones = [id for id in failing if id not in slow]
        return Verdict(red=bool(red_ones), green=False if red_ones else None)
    names = {evidence.missing_name(result) for id in tests if red and (result := red.find(id))}
    trial.missing_names = frozenset(names) if all(names) else frozenset()
    was_red = trial.without == trial.base and all(fails(baseline, id) for id in tests)
    is_long = was_red and red is not None and red.seconds >= LONG
    without, within, process = _repeated(trial, after, tests, each, canary, is_long)
    if independent := [id for id in tests if not all(is_red(trial, report, id) for report in without)]:
        trial.note(f"Failing without the patch, then passing, so for another reason: {format_names(independent)}.")
    # The suite runs the base's version of a test that the patch changes.
    broken = [id for id in tests if fails(suite, id) and not _is_changed(trial, id)]
    if flaky := [id for id in tests if id in broken or not all(passes(report, id) for report in within)]:
        trial.note(f"Passed with the patch once, but not every time: {format_names(flaky)}.")
        trial.is_unsteady = True
    if experiments := installed_module(KIND):  # without it, `find_source_doubts` doubts each patch
        experiments.check_runner_independence(trial, before, after, red, within[0], process, tests)
    complete = bool(green and green.complete)
    if crashed := bool(green and green.code > 2 and baseline and baseline.ended_well and not green.ended_well):
        trial.note(
            f"With the patch the tests exit with {green.code if green else 0}, which their results do not explain."
        )
    return Verdict(
        red=True,
        green=complete and not (still_failing or flaky or crashed or missing),
        red_again=not independent,
        tests=tests,
    )


def _repeated(
    trial: ProofRun, after: Workspace, tests: Sequence[str], each: float, canary: CanaryTests, is_long: bool
) -> tuple[list[SuiteReport | None], list[SuiteReport | None], TestProcess | None]:
    """Run the tests again without the source part of the patch, and with it, twice and once or once and twice; or once
    each if they take long. Return the reports of both, and the process of a run with the patch."""
    order = [trial.without, trial.proved]
    if not is_long:
        order.append(RANDOM.choice(order))
        RANDOM.shuffle(order)
    while order == [trial.proved, trial.without, trial.proved]:  # a test that passes every other time would pass
        RANDOM.shuffle(order)
    without: list[SuiteReport | None] = []
    within: list[SuiteReport | None] = []
    process = None
    for tree in order:
        if tree == trial.without:
            without.append(trial.only(after, tests, tree, each))
        else:
            within.append(canary.run_with_patch(after, tests))
            process = recorded_process(after)
    return without, within, process


def _patience(trial: ProofRun, green: SuiteReport | None) -> float:
    """Return the seconds that a test may take without the patch, derived from its duration with the patch.

    The result is at least the duration of the whole run with the patch, to leave time for fixtures.
    """
    most = limit_per_test(trial.timeout)
    taken = [result.seconds for result in green.results if result.ok] if green else []
    if green is None or not taken:
        return most
    return min(most, max(LEAST, TIMES_SLOWER * max(taken), green.seconds))


def is_red(trial: ProofRun, report: SuiteReport | None, id: str) -> bool:
    """Whether the test fails in the report, other than because of a missing name that the patch does not add.

    In other languages than Python, a test that is not built counts if only names are missing that the issue mentions
    and the patch adds. Whether it needs what they do is found out later (`stopped_code.py`).
    """
    result = report.find(id) if report else None
    if result is None or not result.bad:
        return False
    if result.outcome == "error" and not _is_python(result, id):
        why = _why_unbuilt(trial, result)
        if not why:
            trial.unbuilt.add(id)
            return True
        trial.note(f"A failure is not counted: the tests do not build without the patch: {why}.")
        return False
    name = evidence.missing_name(result)
    if name and not evidence.adds_name(trial.parts.diff, trial.parts.added, name) and not _has_name(trial, name):
        trial.note(f"A failure is not counted: {name!r} is missing, and the patch does not add it.")
        return False
    return True


def _why_unbuilt(trial: ProofRun, result: TestResult) -> str:
    """Return why a test does not build, or "" if all that is missing is in the issue and is added by the patch."""
    missing = missing_names(result)
    if missing is None:
        lines = [line.strip() for line in result.message.splitlines() if line.strip()]
        error = next((line for line in lines if re.search(r"(?i)error|cannot|:\d+:\d+: ", line)), "".join(lines[:1]))
        return error[:LONGEST_ERROR].rstrip(".") or "the cause is unknown"
    added = "\n".join([*evidence.added_lines(trial.parts.diff), *trial.parts.added])
    unasked = missing.unasked(trial.issue.text, partial(is_mentioned, added))
    return f"{format_names(sorted(unasked))} is missing, which the issue does not ask for" if unasked else ""


def _is_changed(trial: ProofRun, id: str) -> bool:
    """Whether the patch changes the code of an existing test, or what its file defines for it."""
    found = [find_test(trial.trees, tree, trial.trees.files(tree), id) for tree in (trial.base, trial.without)]
    texts = [[code_words(node) for node in code.nodes] for _, code in filter(None, found)]
    return len(texts) == 2 and texts[0] != texts[1]


def _is_python(result: TestResult, id: str) -> bool:
    return result.path.endswith(".py") or ".py::" in id or not (result.path or "::" in id)


def _has_name(trial: ProofRun, name: str) -> bool:
    """Whether the source of the base defines a function of this name, which the patch may make available where it was
    missing."""
    if trial.defined is None:
        trial.defined = frozenset(name for text in base_sources(trial).values() for name in DEFINED.findall(text))
    return name.rpartition(".")[2] in trial.defined


def _only_slow(
    trial: ProofRun, before: Workspace, turned: Sequence[str], red: SuiteReport | None, baseline: SuiteReport | None
) -> set[str]:
    """Return the tests that turned green but, without the patch, may only have been too slow for the shortened limit.

    If at least one test is certainly red, the other tests that were ended early in the same run are accepted, since one
    test is enough for the verdict.
    """
    cut = [id for id in turned if not _is_surely_red(trial, red, id)]
    slow = {id for id in cut if passes(baseline, id)}
    doubtful = [id for id in cut if id not in slow]
    if not doubtful or len(cut) < len(turned) or any(_is_surely_red(trial, baseline, id) for id in doubtful):
        return slow
    for id in doubtful[:MOST_WAITED]:
        trial.say(ActivityMessage(f"Running {id} without the patch with its full time limit: it was ended early"))
        if _is_surely_red(trial, trial.only(before, [id], trial.without), id):
            return slow
        slow.add(id)
    trial.note(f"Slow without the patch, and stopped before the time limit: {format_names(doubtful)}.")
    return {*slow, *doubtful}


def _is_surely_red(trial: ProofRun, report: SuiteReport | None, id: str) -> bool:
    """Whether the test failed in the report for a reason other than a shortened time limit."""
    return fails(report, id) and not was_ended_early(report, id, limit_per_test(trial.timeout))


def was_ended_early(report: SuiteReport | None, id: str, most: float) -> bool:
    """Whether a test was ended before its full time limit of `most` seconds, so that it may only be slow."""
    result = report.find(id) if report else None
    return bool(result and result.too_long and result.seconds < NEARLY * most)


def _still_failing(
    red: SuiteReport | None, green: SuiteReport | None, baseline: SuiteReport | None, given: bool
) -> list[str]:
    """Return the tests that fail with the patch, excluding those that also fail on the base unless the tests were
    `given`."""
    known = set(baseline.failed) if baseline and not given else set()
    broken = {id for id in green.failed if id.replace(COPY, "") not in known} if green else set()
    vanished = {id for id in red.failed if not _tests_of(green, id)} if red and given else set()
    return sorted(broken | vanished)


def _tests_of(report: SuiteReport | None, id: str) -> list[TestResult]:
    """Return the test's result, or for a file, module or class that could not be loaded, the results of its tests."""
    if report is None:
        return []
    if same := report.find(id):
        return [same]
    inside = (f"{id}::", f"{id}.", f"{id}[")
    return [result for result in report.results if result.id.startswith(inside)]


def _is_found(node: str, *reports: SuiteReport | None) -> bool:
    """Whether a node (a file, folder, test or group of tests) has a result in one of the reports."""
    wanted = dotted_node(node)
    below = re.compile(rf"{re.escape(wanted)}(?:[.\[]|$)")
    for report in reports:
        if report and report.find(node):
            return True
        for result in report.results if report else ():
            module = result.path.rpartition("/")[2].removesuffix(".py")
            inside = result.id.partition("::")[2] or result.id.rpartition(f"{module}.")[2]
            names = [dotted_node(result.id), dotted_node(f"{result.path}::{inside}")]
            not_loaded = not result.path and f".{wanted}".endswith(f".{result.id}")
            if not_loaded or any(below.match(name) for name in names):
                return True
    return False


def dotted_node(node: str) -> str:
    """Return a node's name in a form common to pytest's and unittest's ids."""
    path, colons, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        path = re.sub(r"\.py$", "", posixpath.normpath(path)).strip("/").replace("/", ".")
    return path + colons.replace("::", ".") + rest.replace("::", ".")


def _by_code(trial: ProofRun, before: Workspace, after: Workspace, baseline: SuiteReport | None) -> Verdict:
    """Judge by the command's exit code, since single tests cannot be run: the new tests must make the command fail on a
    base where it passes."""
    if baseline is None or baseline.granularity != "command" or not trial.parts.test_files:
        trial.add(NOT_REPRODUCED)
        return Verdict()
    verdict = Verdict(granularity="command")
    if baseline.code:
        return verdict
    red = all(trial.code(before, trial.without) != 0 for _ in range(2))
    green = trial.code(after, trial.proved) == 0
    return replace(verdict, red=red, green=green, red_again=trial.code(after, trial.without) != 0)
