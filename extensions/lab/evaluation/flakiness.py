"""Detection of flaky tests: failing tests are run again, each time in a fresh workspace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from extensions.lab.evaluation.patch_grade import GradingResult

Names = frozenset[str]


def grade_with_repeats(grade: Callable[[], GradingResult], repeats: int) -> tuple[GradingResult, ...]:
    """Grade once; if tests fail, repeat until each failing test has passed once, or up to `repeats` tries in total."""
    tries = [grade()]
    while len(tries) < repeats and _failed(tries[0]) and not _failed(tries[0]) <= flaky_tests(tries):
        again = grade()
        if again.error:
            break
        tries.append(again)
    return tuple(tries)


def grade_all_repeats(grade: Callable[[], GradingResult], repeats: int) -> tuple[GradingResult, ...]:
    """Grade `repeats` times regardless of the verdicts; stop at the first error."""
    tries = [grade()]
    while len(tries) < repeats and not tries[-1].error:
        tries.append(grade())
    return tuple(each for each in tries if not each.error) or tuple(tries)


def flaky_tests(tries: Sequence[GradingResult]) -> Names:
    """Return the tests that passed in one try and failed in another, or that a single try reports as flaky."""
    passed = Names().union(*(each.f2p_ok + each.p2p_ok for each in tries))
    failed = Names().union(*(_failed(each) for each in tries))
    return (passed & failed).union(*(each.flaky for each in tries))


def verdict_without_flaky(tries: Sequence[GradingResult], uncounted: Collection[str] = ()) -> GradingResult:
    """Return the first try's verdict, ignoring failures of the `uncounted` tests and listing all flaky tests.

    Its log comes from the try with the same counted failures and the fewest other failures, so that another grader is
    likely to derive the same verdict from it.
    """
    counted = _failed(tries[0]) - frozenset(uncounted)
    alike = [each for each in tries if _failed(each) - frozenset(uncounted) == counted]
    shown = min(alike, key=lambda each: len(_failed(each)))
    left = replace(
        shown,
        f2p_failed=tuple(name for name in shown.f2p_failed if name in counted),
        p2p_failed=tuple(name for name in shown.p2p_failed if name in counted),
        flaky=tuple(sorted(flaky_tests(tries))),
        seconds=sum(each.seconds for each in tries),
    )
    passes = left.applied and not left.error and not counted and bool(left.f2p_ok)
    return replace(left, resolved=left.resolved or passes)


def _failed(graded: GradingResult) -> Names:
    return frozenset(graded.f2p_failed + graded.p2p_failed)
