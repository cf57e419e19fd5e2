"""Test failures on the base: the tests that a repair must fix and those that it must not break."""

from __future__ import annotations

import math
import re
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aci.localization.issue_localization import text_of
from aci.observation.activity_message import ActivityMessage
from aci.proof.proof_run import format_names
from aci.proof.reproduction import was_ended_early
from aci.proof.suite_baselines import suite_key
from aci.proof.suite_selection import has_large_suite, nearest_tests
from aci.repository.test_files import is_test
from aci.runtime.snapshots import FIX, describe_submodule, submodule_missing_in
from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.suite_run import limit_per_test, run_tests
from agent.engine.permission_checks import REFUSED, may_test
from agent.prompts.opening_prompt import places
from agent.run_state.strategy_traits import is_about_failing_tests
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aci.testing.suite_results import SuiteReport, TestResult
    from agent.engine.task import Task

HASTY = 10.0
"""Maximum number of seconds per test when the tests are run on the base. Waiting longer for a hanging test is not
worthwhile, and a search for a repair cannot use slower tests."""
TIMES_SLOWER = 20
"""A test that was cut off counts as hanging if the slowest other test is this many times faster; otherwise it may just
be slow."""
MOST_RERUNS, RERUN_SHARE = 3, 0.25
"""Maximum number of cut-off tests that are rerun one by one to see whether they hang, and the share of the remaining
time that each may take."""
_NO_MODULE = re.compile(r"(ModuleNotFoundError: No module named '(\w+)[^'\n]*')")
_NOT_IMPORTED = re.compile(r"\s*(?:\w*Error: )?No module named '(\w+)")
NEAREST = 12
"""Maximum number of test files nearest to the likeliest places that are run from a large suite, in addition to the
given ones."""


def failing_tests(task: Task, given: Sequence[str]) -> dict[str, Any]:
    """Return the `given`, `failing` and `passing` tests, the `command` that runs them, a `summary`, and the duration of
    the run in `seconds`.

    If the user gave tests, only these and, if they fail, the others of their files are run: `related_tests` finds more.
    Otherwise the failing tests are limited to those that the issue names by their names or file, if any, and to those
    that do not lack a package. The result can be stored as JSON.
    """
    nothing = {"command": "", "given": list(given), "failing": [], "passing": [], "summary": REFUSED, "seconds": 0.0}
    if not may_test(task.branch):
        return nothing
    settings = task.turn.settings
    limit = min(HASTY, limit_per_test(settings.test_timeout))
    try:
        is_own_command = bool(settings.test) or is_about_failing_tests(task.turn.issue)
        near = () if given or is_own_command else _nearest_files(task)
        report = run_tests(task.workspace, settings.test, given or near, settings.test_timeout, limit)
        if near and not report.failed:
            report = run_tests(task.workspace, report.command, (), settings.suite_time, limit)
        lacking = _lacking_packages(task, report)
        failing = list(report.failed) if given else _select_failing(task, report, lacking)
        rerun = _rerun_cut_off(task, report, failing)
        files = tuple(dict.fromkeys(node.partition("::")[0] for node in given))
        beside = _passing(task, report.command, files) if failing and files != tuple(given) else []
    except UsageError as error:
        return nothing | {"summary": f"{error.message} {error.fix}"}
    finally:
        task.workspace.restore(task.tree)
    if obstacle := _missing_package(task, report):
        return nothing | {"command": report.command, "summary": obstacle}
    report = replace(report, results=tuple(rerun.get(result.id, result) for result in report.results))
    if not (near or given):
        _save_baseline(task, report)
    slow = failing if rerun and all(result.ok for result in rerun.values()) else [id for id in rerun if rerun[id].ok]
    notes = [f"Slow, but passing: {format_names(slow)}."] if slow else []
    if left_out := [id for id in lacking if not (given or id in failing)]:
        notes.append(f"Left out, since a package is missing: {format_names(left_out)}.")
    if given and not report.failed:
        how = "pass or were cut off" if report.results else "were not found"
        notes.append(f"The given tests ({format_names(given)}) {how}.")
    summary = " ".join([f"On the base: {report.summary()}.", *notes, *report.notes])
    if report.granularity != "test":
        return nothing | {"command": report.command, "summary": summary}
    return {
        "command": report.command,
        "given": list(given),
        "failing": [id for id in failing if id not in slow],
        "passing": list(dict.fromkeys([*report.passed, *beside])),
        "summary": summary,
        "seconds": report.seconds,
    }


def related_tests(task: Task, command: str, given: Sequence[str], seconds: float) -> list[str]:
    """Return the tests that pass on the base within so many seconds: of all of a small suite, or of those nearest to
    the likeliest places and the given tests."""
    try:
        return _passing(task, command, _nearest_files(task, given), seconds)
    finally:
        task.workspace.restore(task.tree)


def _passing(task: Task, command: str, files: Sequence[str], seconds: float = math.inf) -> list[str]:
    timeout = min(task.turn.settings.test_timeout, seconds)
    return list(run_tests(task.workspace, command, files, timeout, min(HASTY, limit_per_test(timeout))).passed)


def _rerun_cut_off(task: Task, report: SuiteReport, failing: Sequence[str]) -> dict[str, TestResult]:
    """If all failing tests were cut off early, rerun some of them with their full time, up to the first one that hangs,
    and return the results.

    If none of them hangs, the remaining tests are assumed to be slow as well.
    """
    most = limit_per_test(task.turn.settings.test_timeout)
    left = math.inf if task.branch.cancel.deadline is None else task.branch.cancel.deadline - time.monotonic()
    found: dict[str, TestResult] = {}
    if not all(was_ended_early(report, id, most) for id in failing):
        return found
    for id in failing[:MOST_RERUNS]:
        task.branch.notify(ActivityMessage(f"Waiting for {id}, which was cut off, to see whether it hangs"))
        again = run_tests(
            task.workspace, report.command, [id], task.turn.settings.test_timeout, min(most, RERUN_SHARE * left)
        )
        result = again.find(id)
        if result is None or result.id != id:
            break
        found[id] = result
        if not result.ok:
            break
    return found


def _nearest_files(task: Task, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the test files of a large suite that should be run; empty to run the whole suite."""
    if not has_large_suite(task.trees, task.tree):
        return ()
    files = [node.partition("::")[0] for node in given]
    found = places(task.branch)
    likely = [(hit["path"], hit.get("name", "")) for hit in (*found["functions"], *found["files"])]
    sources = [place for place in likely if not is_test(place[0])]
    near = nearest_tests(task.trees, task.tree, sources, text_of(task.turn.issue), NEAREST)
    return tuple(dict.fromkeys(file for file in (*files, *near) if file.endswith(".py")))


def _missing_package(task: Task, report: SuiteReport) -> str:
    """Return the cause and what to do if no test could run because a package is not installed; "" otherwise."""
    if report.passed or any(result.outcome == "failed" for result in report.results):
        return ""
    output, files = report.output.decode("utf-8", "replace"), task.trees.files(task.tree)
    module, submodule = submodule_missing_in(task.workspace, files, output)
    if submodule:
        return f"The tests cannot be collected: {describe_submodule(f'The module {module}', submodule)} {FIX}"
    found = _NO_MODULE.search(output)
    if not found or _is_own(found[2], files):
        return ""
    workspace = task.workspace
    python = workspace.run("command -v python3 || command -v python", session=HARNESS_SESSION).text.strip() or "Python"
    fix = "Install the packages that the tests need there."
    if workspace.kind == "local":
        fix += " Or use --workspace sandbox, which sets up an environment, or make one in the folder .venv."
    return f"The tests cannot be collected: {found[1]} ({python}). {fix}"


def _is_own(module: str, files: Collection[str]) -> bool:
    """Return whether the repository has a package or module of this name."""
    return any(f"/{path}".endswith((f"/{module}.py", f"/{module}/__init__.py")) for path in files)


def _save_baseline(task: Task, report: SuiteReport) -> None:
    """Save the results as a baseline, so that the proof need not run the suite without the patch again."""
    if task.tree == task.turn.base.tree and not task.turn.is_later and not task.branch.engine.resumed:
        settings = task.turn.settings
        key = suite_key(task.turn.base.tree, settings.test, settings.test_timeout, settings.suite_time)
        task.branch.engine.baselines.setdefault(key, report)


def _select_failing(task: Task, report: SuiteReport, lacking: Sequence[str]) -> list[str]:
    if named := [test for test in report.failed if _is_named(test, task.turn.issue.text)]:
        return named
    if in_file := [one.id for one in report.results if one.bad and _is_in_named_file(one, task.turn.issue.text)]:
        return in_file
    report = replace(report, results=tuple(result for result in report.results if result.id not in lacking))
    hanging = {result.id for result in report.results if result.too_long}
    slowest = max((result.seconds for result in report.results if result.ok), default=0.0)
    if TIMES_SLOWER * slowest <= HASTY or hanging.issuperset(report.failed):
        return list(report.failed)
    return [test for test in report.failed if test not in hanging]


def _is_named(test: str, text: str) -> bool:
    name = test.partition("[")[0].replace("::", ".").rpartition(".")[2]
    return test in text or (len(name) > 5 and name in text)


def _is_in_named_file(result: TestResult, text: str) -> bool:
    """Return whether a text names the file of a test, by its whole path if it gives a path."""
    name = result.path.rpartition("/")[2]
    named = re.findall(rf"(?<![\w./-])((?:[\w.-]+/)*{re.escape(name)})(?!\w)", text) if name else []
    return any(f"/{result.path}".endswith(f"/{path}") for path in named)


def _lacking_packages(task: Task, report: SuiteReport) -> list[str]:
    """Return the failing tests that lack a package which is neither the repository's nor Python's own."""
    found = [(result.id, _NOT_IMPORTED.match(result.message)) for result in report.results if result.bad]
    files = task.trees.files(task.tree) if any(match for _, match in found) else {}
    known = sys.stdlib_module_names
    return [id for id, match in found if match and match[1] not in known and not _is_own(match[1], files)]
