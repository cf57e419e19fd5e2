"""Tests that change their minds: what fails is run again, in a fresh workspace each time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from agent.evaluation.graded import Graded

Names = frozenset[str]


def tried(grade: Callable[[], Graded], repeats: int) -> tuple[Graded, ...]:
    """One try, and where tests fail in it as many as `repeats`, or until each of them has passed once."""
    tries = [grade()]
    while len(tries) < repeats and _failed(tries[0]) and not _failed(tries[0]) <= changing(tries):
        again = grade()
        if again.error:
            break
        tries.append(again)
    return tuple(tries)


def steadily(grade: Callable[[], Graded], repeats: int) -> tuple[Graded, ...]:
    """All `repeats` tries, whatever they come to, as long as there is a verdict."""
    tries = [grade()]
    while len(tries) < repeats and not tries[-1].error:
        tries.append(grade())
    return tuple(each for each in tries if not each.error) or tuple(tries)


def changing(tries: Sequence[Graded]) -> Names:
    """The tests that passed in one of the tries and failed in another, or were seen to within one."""
    passed = Names().union(*(each.f2p_ok + each.p2p_ok for each in tries))
    failed = Names().union(*(_failed(each) for each in tries))
    return (passed & failed).union(*(each.flaky for each in tries))


def judged(tries: Sequence[Graded], uncounted: Collection[str] = ()) -> Graded:
    """The first try's verdict without the tests that are not counted, with all flaky ones named.

    Its log is that of a try that failed in the same counted tests, and in as few others as there are: whoever reads it
    with another grader comes to the same, where that can be.
    """
    counted = _failed(tries[0]) - frozenset(uncounted)
    alike = [each for each in tries if _failed(each) - frozenset(uncounted) == counted]
    shown = min(alike, key=lambda each: len(_failed(each)))
    left = replace(
        shown,
        f2p_failed=tuple(name for name in shown.f2p_failed if name in counted),
        p2p_failed=tuple(name for name in shown.p2p_failed if name in counted),
        flaky=tuple(sorted(changing(tries))),
        seconds=sum(each.seconds for each in tries),
    )
    passes = left.applied and not left.error and not counted and bool(left.f2p_ok)
    return replace(left, resolved=left.resolved or passes)


def _failed(graded: Graded) -> Names:
    return frozenset(graded.f2p_failed + graded.p2p_failed)
