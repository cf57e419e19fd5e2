"""Names of data sets, and the results that they mean."""

from __future__ import annotations

import pytest

from aci.testing.suite_results import Outcome, SuiteReport, TestResult
from agent.evaluation.expected_results import passes


def of(outcomes: dict[str, Outcome]) -> SuiteReport:
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
def test_name_means_test_however_its_runner_prints_it(name: str, id: str) -> None:
    assert passes([name], of({id: "passed", "other.py::test_y": "failed"})) == {name: True}
    assert passes([name], of({id: "failed", "other.py::test_y": "passed"})) == {name: False}


def test_all_that_cut_name_may_mean_must_pass() -> None:
    name = "test_a.py::test_x[a"
    assert not passes([name], of({"test_a.py::test_x[a 1]": "passed", "test_a.py::test_x[a 2]": "failed"}))[name]


def test_whole_name_does_not_mean_one_that_only_ends_like_it() -> None:
    found = of({"test_a.py::test_x": "passed", "test_b.py::test_x": "failed"})
    assert passes(["test_a.py::test_x", "test_c.py::test_x"], found) == {
        "test_a.py::test_x": True,
        "test_c.py::test_x": False,
    }


@pytest.mark.parametrize(("outcome", "passed"), [("xfailed", True), ("skipped", False), ("error", False)])
def test_expected_failures_pass_and_skipped_tests_do_not(outcome: Outcome, passed: bool) -> None:
    assert passes(["a.py::t"], of({"a.py::t": outcome})) == {"a.py::t": passed}


def test_test_of_which_nothing_is_known_did_not_pass() -> None:
    assert passes(["a.py::t", "[100%]", ""], of({})) == {"a.py::t": False, "[100%]": False, "": False}


@pytest.mark.parametrize("code", [0, 1])
def test_exit_code_alone_holds_for_all(code: int) -> None:
    assert passes(["a", "b"], SuiteReport((), "make test", code, granularity="command")) == {
        "a": not code,
        "b": not code,
    }
