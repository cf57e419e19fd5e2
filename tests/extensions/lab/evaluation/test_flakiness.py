"""Flaky tests, and verdicts without them."""

from __future__ import annotations

from collections.abc import Iterator

from extensions.lab.evaluation.flakiness import (
    flaky_tests,
    grade_all_repeats,
    grade_with_repeats,
    verdict_without_flaky,
)
from extensions.lab.evaluation.patch_grade import GradingResult


def grade(failed: str = "", error: str = "", applied: bool = True) -> GradingResult:
    """Build a result: tests a and b must become green, c and d must stay green, and the named ones failed."""
    names = {"f2p": "ab", "p2p": "cd"}
    parts = {
        f"{kind}_{'failed' if fails else 'ok'}": tuple(name for name in tests if (name in failed) == fails)
        for kind, tests in names.items()
        for fails in (True, False)
    }
    return GradingResult(
        "i", not failed and applied and not error, applied, error=error, log=failed, seconds=1.0, **parts
    )


def iterator_and_list(*tries: GradingResult) -> tuple[Iterator[GradingResult], list[GradingResult]]:
    return iter(tries), list(tries)


def test_passing_patch_is_graded_once() -> None:
    remaining, results = iterator_and_list(grade(), grade("a"))
    assert grade_with_repeats(lambda: next(remaining), 3) == (results[0],)
    assert next(remaining) is results[1]


def test_failing_patch_is_graded_up_to_given_number() -> None:
    remaining, results = iterator_and_list(*[grade("a")] * 5)
    assert grade_with_repeats(lambda: next(remaining), 3) == tuple(results[:3])
    assert verdict_without_flaky(results[:3]).flaky == ()
    assert not verdict_without_flaky(results[:3]).resolved


def test_repeats_end_once_every_failing_test_has_passed() -> None:
    remaining, results = iterator_and_list(grade("ac"), grade("a"), grade("c"), grade())
    tried = grade_with_repeats(lambda: next(remaining), 9)
    assert tried == tuple(results[:3])
    assert flaky_tests(tried) == {"a", "c"}


def test_refused_patch_or_error_is_not_graded_again() -> None:
    for result in (grade(error="no container"), GradingResult("i", False, applied=False)):
        remaining = iter([result])
        assert grade_with_repeats(lambda remaining=remaining: next(remaining), 3) == (result,)


def test_try_without_verdict_is_ignored() -> None:
    remaining, results = iterator_and_list(grade("a"), grade(error="no container"))
    assert grade_with_repeats(lambda: next(remaining), 3) == (results[0],)
    remaining, results = iterator_and_list(grade("a"), grade(), grade(error="no container"), grade())
    assert grade_all_repeats(lambda: next(remaining), 4) == tuple(results[:2])
    remaining, results = iterator_and_list(grade(error="no container"))
    assert grade_all_repeats(lambda: next(remaining), 4) == tuple(results)


def test_flaky_test_with_stable_gold_keeps_first_result() -> None:
    verdict = verdict_without_flaky([grade("a"), grade()])
    assert verdict.flaky == ("a",)
    assert not verdict.resolved
    assert verdict.f2p_failed == ("a",)
    assert verdict.seconds == 2.0


def test_test_that_is_also_flaky_with_gold_does_not_count() -> None:
    verdict = verdict_without_flaky([grade("c"), grade("c"), grade()], {"c"})
    assert verdict.resolved
    assert verdict.flaky == ("c",)
    assert verdict.log == "", "the log is not that of the passing try"
    assert verdict.p2p_failed == ()


def test_other_failing_tests_still_count() -> None:
    verdict = verdict_without_flaky([grade("ac"), grade("a")], {"c"})
    assert not verdict.resolved
    assert verdict.f2p_failed == ("a",)
    assert verdict.p2p_failed == ()
    assert verdict.log == "a"


def test_patch_is_unresolved_if_no_reliable_test_is_left() -> None:
    assert not verdict_without_flaky([grade("ab"), grade("ab")], {"a", "b"}).resolved


def test_flaky_test_within_one_try_is_reported() -> None:
    result = GradingResult("i", True, True, f2p_ok=("a",), flaky=("a",))
    assert verdict_without_flaky([result]).flaky == ("a",)
    assert verdict_without_flaky([result]).resolved
