"""Issues that say no more than that the failing tests should pass."""

from __future__ import annotations

import pytest

from agent.run_state.strategy_traits import FAILING_TESTS, is_about_failing_tests
from trajectories.records import Issue


@pytest.mark.parametrize(
    "issue",
    [
        FAILING_TESTS,
        *(Issue("Fix the failing tests.", ""), Issue("get tests to pass", ""), Issue("Make all tests pass!", "")),
        *(Issue("Make the", "broken test green"), Issue("Repair broken tests", "\n")),
    ],
)
def test_issue_is_only_about_failing_tests(issue: Issue) -> None:
    assert is_about_failing_tests(issue)


@pytest.mark.parametrize(
    "issue",
    [
        *(Issue("Fix the failing tests", "add() subtracts"), Issue("Fix the tests in test_calc.py", "")),
        *(Issue("The tests pass", ""), Issue("Add failing tests", ""), Issue("", ""), Issue("Fix the test runner", "")),
        *(Issue("Make tests", ""), Issue("Fix tests", ""), Issue("make test", "")),
    ],
)
def test_issue_says_more(issue: Issue) -> None:
    assert not is_about_failing_tests(issue)
