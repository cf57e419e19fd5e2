"""Facts of a proof: their kinds and values, which equal those that earlier versions' readers found in their words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest

from aci.proof import fact_words
from aci.testing.suite_results import SuiteReport, TestResult
from trajectories.facts import Fact, unique_facts
from trajectories.migrations import fact_of_note, facts_of
from trajectories.verdict import Verdict

OUTCOMES = ("failed", "error", "passed", "passed", "skipped", "xfailed")
REPORT = SuiteReport(tuple(TestResult(f"t{number}", one) for number, one in enumerate(OUTCOMES)), "pytest", 1)
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "suite_result": (REPORT, True),
    "compared_part": (3,),
    "related_run": (("tests/test_a.py",),),
    "fixed_tests": (("tests/test_a.py::t",), "named in the issue"),
    "left_out_changes": (("conftest.py",), True),
    "removed_tests": (("tests/test_a.py::t",),),
    "affected_calls": ("area", "calc/core.py", 3, "has a new signature: `scale` is new", ("a.py:1", "b.py:2"), 1),
    "more_affected_calls": (4,),
    "changed_behaviour": ("3 of 9 variants of the tests' values", ", such as f(1)"),
    "selected_behaviour": ("length",),
    "same_answer": ("3 of 9 variants",),
    "tests_answers": ("3 of 9 variants",),
    "compared_pages": ("9 views of 3 pages", "1 view differs, as the issue asks."),
}
NEW = {"edited_tests_in", "related_run", "fitted_to_tests", "new_check_findings", "new_failures"}
"""Facts, or their data, that no earlier version recorded."""


def functions() -> Iterator[tuple[str, Callable[..., Fact]]]:
    for name, value in vars(fact_words).items():
        if isinstance(value, FunctionType) and value.__module__ == fact_words.__name__ and name not in NEW:
            yield name, value


def facts() -> dict[str, Fact]:
    made = {name: function(*ARGUMENTS[name]) for name, function in functions()}
    return made | {name: value for name, value in vars(fact_words).items() if isinstance(value, Fact)}


def test_experiment_claims_no_more_than_it_measured() -> None:
    fact = fact_words.fitted_to_tests(fact_words.changed_behaviour("0 of 53 variants of the tests' values"))
    measured = "The patch changes the behaviour for 0 of 53 variants of the tests' values."
    assert fact.text.startswith(f"{measured} So the patch is not shown to be general.")
    assert (fact.kind, fact.data) == ("behaviour", {"is_fitted": True})
    assert "fits" not in fact.text + Verdict("unproven", generality="examples only").headline


@pytest.mark.parametrize("name", sorted(facts()))
def test_recorded_words_give_the_same_fact(name: str) -> None:
    fact = facts()[name]
    assert fact_of_note(fact.text) == fact


@pytest.mark.parametrize(
    ("parts", "passed", "whole"),
    [
        ({}, 2, True),
        ({"timed_out": True}, 2, False),
        ({"complete": False}, 2, False),
        ({"granularity": "command"}, 0, True),
    ],
)
def test_suite_result_has_counts(parts: dict[str, Any], passed: int, whole: bool) -> None:
    report = SuiteReport(REPORT.results, "pytest", 1, **parts)
    fact = fact_words.suite_result(report, False)
    assert fact.data == {"with_patch": False, "failed": passed // 2, "passed": passed, "whole": whole}
    assert fact_of_note(fact.text) == fact


def test_other_sentences_are_limits() -> None:
    for text in (
        "Pages were not compared: the workspace has no browser.",
        "Only 3 variants of the tests' values could be compared.",
        "The suite did not run without the patch, so loss cannot be judged.",
    ):
        assert fact_of_note(text) == Fact("limit", text)


def test_facts_are_preferred_to_notes() -> None:
    recorded = {"notes": ["No test ran."], "facts": [{"kind": "suite", "text": "x", "data": {"names": ["a", "b"]}}]}
    assert facts_of(recorded) == (Fact("suite", "x", {"names": ("a", "b")}),)


def test_repeated_words_are_one_fact() -> None:
    first, other = Fact("suite", "x", {"passed": 1}), Fact("limit", "y")
    assert unique_facts([first, other, Fact("limit", "x")]) == (first, other)
