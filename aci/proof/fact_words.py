"""Facts of a proof that readers tell apart, each with its words.

A sentence that no reader distinguishes is a plain limit or doubt of `ProofRun`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aci.proof.proof_run import format_names
from trajectories.facts import Fact

if TYPE_CHECKING:
    from aci.testing.suite_results import SuiteReport

UNTESTED = Fact("untested", "No test ran without the patch, so nothing shows what else the patch may break.")
UNCHANGED = Fact("covered", "Nothing was changed.")
NOT_RED = Fact("covered", "No test fails without the patch and passes with it.")
NOT_REPRODUCED = Fact("reproduction", "No test reproduces the issue.")
SAME_BASE_ANSWER = Fact("behaviour", "The patch changes the behaviour where the base answers as in the tests.")
MAY_BE_FORGED = Fact(
    "extent", "The code under test runs in the process that reports on it. It could forge a result, so read the patch."
)
"""Fact about a patch of somebody else that is verified; of other patches, only docs/verdicts.md says it."""


def suite_result(report: SuiteReport, with_patch: bool) -> Fact:
    """Return the fact with the results of a run of the suite."""
    counts = report.counts if report.granularity != "command" else {}
    return Fact(
        "suite",
        f"The suite {'with' if with_patch else 'without'} the patch: {report.summary()}.",
        {
            "with_patch": with_patch,
            "failed": counts.get("failed", 0),
            "passed": counts.get("passed", 0),
            "whole": report.complete and not report.timed_out,
        },
    )


def compared_part(count: int) -> Fact:
    """Return the fact that only `count` tests of a suite that stopped could be compared."""
    return Fact("partial", f"Only the {count} tests that had passed when it stopped could be compared.")


def related_run(paths: Sequence[str]) -> Fact:
    """Return the fact that these test files, which are related to the patch, ran apart from a suite that was cut
    off."""
    return Fact("extent", f"The suite was cut off, so test files related to the patch ran too: {format_names(paths)}.")


def fixed_tests(tests: Sequence[str], tie: str) -> Fact:
    """Return the fact that these tests failed before and pass with the patch; `tie` says how the issue is tied to them,
    or is ""."""
    how = tie or "but not tied to the issue, so not counted"
    return Fact("reproduction", f"Failing before and fixed, {how}: {format_names(tests)}.")


def left_out_changes(paths: Sequence[str], has_tests: bool) -> Fact:
    """Return the fact that the proof ignores the patch's changes to these files, which include tests if `has_tests`."""
    what = f"Changes to {'existing tests, ' if has_tests else ''}test configuration and files that run the tests"
    return Fact("tests", f"{what} were left out: {format_names(paths)}.")


def edited_tests_in(paths: Sequence[str]) -> Fact:
    """Return the fact that the patch changes tests in these existing files."""
    which = "the patch's versions may reproduce the issue, and the base's versions must still pass"
    return Fact("tests", f"Existing tests were changed in {format_names(paths)}: {which}.")


def removed_tests(tests: Sequence[str]) -> Fact:
    """Return the fact that the patch removes these tests from files that it may change."""
    return Fact("tests", f"Removed from tests that were changed: {format_names(tests)}.")


def new_failures(tests: Sequence[str]) -> Fact:
    """Return the fact that these tests fail with the patch, and that they did not exist or were skipped without it."""
    return Fact("new_failures", f"New tests that fail: {format_names(tests)}.", {"tests": tuple(tests)})


def new_check_findings(line: str, found: Sequence[str]) -> Fact:
    """Return the fact that a check of the repository found something new; `line` is its line in the verdict."""
    return Fact(
        "covered", f"A check of the repository reports something new: {line}.", {"check": line, "found": tuple(found)}
    )


def affected_calls(name: str, path: str, line: int, change: str, calls: Sequence[str], most: int) -> Fact:
    """Return the fact that a changed signature may break calls outside the patch, of which `most` places are named.

    `line` is 0 if it is unknown, and `change` says what happens to the signature.
    """
    where = f"{path}:{line}" if line else path
    more = f" and {len(calls) - most} more" if len(calls) > most else ""
    text = f"{name} ({where}) {change}; calls outside the patch: {', '.join(calls[:most])}{more}."
    return Fact("callers", text, {"path": path, "line": line})


def more_affected_calls(count: int) -> Fact:
    """Return the fact that calls of `count` more functions may break."""
    return Fact("callers", f"The same goes for {count} more functions whose signature changes.")


def changed_behaviour(count: str, detail: str = "") -> Fact:
    """Return the fact that the patch changes the behaviour for `count`, such as `3 of 9 variants of the tests' values`;
    `detail` continues the sentence."""
    return Fact("behaviour", f"The patch changes the behaviour for {count}{detail}.")


def selected_behaviour(feature: str) -> Fact:
    """Return the fact that the patch only concerns values that have a feature of the tests' values."""
    return Fact("behaviour", f"The patch changes the behaviour only for values with the {feature}, as in the tests.")


def same_answer(count: str) -> Fact:
    """Return the fact that the patch gives one answer for `count`."""
    return Fact("behaviour", f"The patch gives the same answer for {count}.")


def tests_answers(count: str) -> Fact:
    """Return the fact that the patch gives the answers that the tests expect for `count`."""
    return Fact("behaviour", f"The patch gives the tests' own answers for {count}.")


def fitted_to_tests(reason: Fact) -> Fact:
    """Return the doubt that the patch may fit the values of its tests only; `reason` says what was measured."""
    advice = "Test other values, and solve the general case if it handles only those of the tests."
    text = f"{reason.text} So the patch is not shown to be general. {advice}"
    return Fact("behaviour", text, {"is_fitted": True})


def compared_pages(views: str, differing: str) -> Fact:
    """Return the fact that `views`, such as `9 views of 3 pages`, were compared; `differing` is a sentence on those
    that differ, or ""."""
    return Fact("pages", " ".join(filter(None, [f"Pages were compared: {views}.", differing])))
