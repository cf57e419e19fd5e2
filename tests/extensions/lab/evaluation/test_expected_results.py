"""Test names of data sets, matched to the results of a test run."""

from __future__ import annotations

import pytest

from aci.testing.suite_results import Outcome, SuiteReport, TestResult
from extensions.lab.evaluation.expected_results import passes


def suite_report(outcomes: dict[str, Outcome]) -> SuiteReport:
    return SuiteReport(tuple(TestResult(id, outcome) for id, outcome in outcomes.items()), "pytest", 0)


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("tests/test_a.py::test_x", "tests/test_a.py::test_x"),
        ("tests/test_a.py::C::test_x[a", "tests/test_a.py::C::test_x[a b]"),
        ("tests/test_a.py::test_x[/c]", "tests/test_a.py::test_x[/a/b/c]"),
        ("test_x (admin.tests.C)", "tests/admin/tests.py::C::test_x"),
        ("test_x (admin.tests.C.test_x)", "admin.tests.C.test_x"),
        ("test_x (admin.tests.C)", "admin.tests.C.test_x"),
        ("test_String", "sympy/codegen/tests/test_ast.py::test_String"),
        ("sympy/sets/tests/test_contains.py:test_x", "sympy/sets/tests/test_contains.py::test_x"),
        ("tests/test_a.py::test_x[1.5]", "tests/test_a.py::test_x[1.5]"),
    ],
)
def test_name_matches_test_in_any_runner_format(name: str, id: str) -> None:
    assert passes([name], suite_report({id: "passed", "other.py::test_y": "failed"})) == {name: True}
    assert passes([name], suite_report({id: "failed", "other.py::test_y": "passed"})) == {name: False}


def test_truncated_name_passes_only_if_all_matches_pass() -> None:
    name = "test_a.py::test_x[a"
    assert not passes([name], suite_report({"test_a.py::test_x[a 1]": "passed", "test_a.py::test_x[a 2]": "failed"}))[
        name
    ]


def test_full_name_does_not_match_test_with_same_ending() -> None:
    report = suite_report({"test_a.py::test_x": "passed", "test_b.py::test_x": "failed"})
    assert passes(["test_a.py::test_x", "test_c.py::test_x"], report) == {
        "test_a.py::test_x": True,
        "test_c.py::test_x": False,
    }


@pytest.mark.parametrize(("outcome", "passed"), [("xfailed", True), ("skipped", False), ("error", False)])
def test_expected_failures_pass_and_skipped_tests_do_not(outcome: Outcome, passed: bool) -> None:
    assert passes(["a.py::t"], suite_report({"a.py::t": outcome})) == {"a.py::t": passed}


def test_test_without_result_does_not_pass() -> None:
    assert passes(["a.py::t", "[100%]", ""], suite_report({})) == {"a.py::t": False, "[100%]": False, "": False}


@pytest.mark.parametrize("code", [0, 1])
def test_exit_code_without_results_applies_to_all_tests(code: int) -> None:
    assert passes(["a", "b"], SuiteReport((), "make test", code, granularity="command")) == {
        "a": not code,
        "b": not code,
    }
