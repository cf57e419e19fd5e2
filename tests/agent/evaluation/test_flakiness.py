"""Which tests change their minds, and what is then left of a verdict."""

from __future__ import annotations

from collections.abc import Iterator

from agent.evaluation.flakiness import flaky_tests, grade_all_repeats, grade_with_repeats, verdict_without_flaky
from agent.evaluation.patch_grade import GradingResult


def graded(failed: str = "", error: str = "", applied: bool = True) -> GradingResult:
    """Tests a and b make the instance, c and d passed before; those named have failed."""
    names = {"f2p": "ab", "p2p": "cd"}
    parts = {
        f"{kind}_{'failed' if fails else 'ok'}": tuple(name for name in tests if (name in failed) == fails)
        for kind, tests in names.items()
        for fails in (True, False)
    }
    return GradingResult(
        "i", not failed and applied and not error, applied, error=error, log=failed, seconds=1.0, **parts
    )


def each(*tries: GradingResult) -> tuple[Iterator[GradingResult], list[GradingResult]]:
    return iter(tries), list(tries)


def test_what_passes_is_run_once() -> None:
    rest, all = each(graded(), graded("a"))
    assert grade_with_repeats(lambda: next(rest), 3) == (all[0],)
    assert next(rest) is all[1]


def test_what_fails_is_tried_again_as_often_as_asked() -> None:
    rest, all = each(*[graded("a")] * 5)
    assert grade_with_repeats(lambda: next(rest), 3) == tuple(all[:3])
    assert verdict_without_flaky(all[:3]).flaky == ()
    assert not verdict_without_flaky(all[:3]).resolved


def test_once_every_failing_test_has_passed_no_more_is_to_be_learnt() -> None:
    rest, all = each(graded("ac"), graded("a"), graded("c"), graded())
    found = grade_with_repeats(lambda: next(rest), 9)
    assert found == tuple(all[:3])
    assert flaky_tests(found) == {"a", "c"}


def test_refused_patch_or_one_without_verdict_is_not_tried_again() -> None:
    for one in (graded(error="no container"), GradingResult("i", False, applied=False)):
        rest = iter([one])
        assert grade_with_repeats(lambda rest=rest: next(rest), 3) == (one,)


def test_try_without_verdict_says_nothing_of_others() -> None:
    rest, all = each(graded("a"), graded(error="no container"))
    assert grade_with_repeats(lambda: next(rest), 3) == (all[0],)
    rest, all = each(graded("a"), graded(), graded(error="no container"), graded())
    assert grade_all_repeats(lambda: next(rest), 4) == tuple(all[:2])
    rest, all = each(graded(error="no container"))
    assert grade_all_repeats(lambda: next(rest), 4) == tuple(all)


def test_flaky_test_that_gold_holds_steady_counts_as_it_first_was() -> None:
    found = verdict_without_flaky([graded("a"), graded()])
    assert found.flaky == ("a",)
    assert not found.resolved
    assert found.f2p_failed == ("a",)
    assert found.seconds == 2.0


def test_test_that_flips_with_gold_too_does_not_count() -> None:
    found = verdict_without_flaky([graded("c"), graded("c"), graded()], {"c"})
    assert found.resolved
    assert found.flaky == ("c",)
    assert found.log == "", "that of the try in which it passed"
    assert found.p2p_failed == ()


def test_others_that_fail_still_count() -> None:
    found = verdict_without_flaky([graded("ac"), graded("a")], {"c"})
    assert not found.resolved
    assert found.f2p_failed == ("a",)
    assert found.p2p_failed == ()
    assert found.log == "a"


def test_with_no_test_left_that_tells_nothing_is_resolved() -> None:
    assert not verdict_without_flaky([graded("ab"), graded("ab")], {"a", "b"}).resolved


def test_flaky_within_one_try_is_named() -> None:
    one = GradingResult("i", True, True, f2p_ok=("a",), flaky=("a",))
    assert verdict_without_flaky([one]).flaky == ("a",)
    assert verdict_without_flaky([one]).resolved
