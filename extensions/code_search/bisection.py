"""A search for the commit that made a test fail: git's bisection, run in forks of a workspace.

git on the host only lists commits; it checks nothing out. A commit at which the test gives no result, for example since
it does not build, is skipped as by `git bisect skip`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Literal, NamedTuple

from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.suite_run import run_tests

if TYPE_CHECKING:
    from aci.history.git_log import GitLog
    from aci.runtime.workspace import Workspace
    from aci.testing.suite_results import SuiteReport, TestResult

Outcome = Literal["good", "bad", "skip"]
SKIP_CODE, FIRST_SIGNAL = 125, 128
"""Exit codes of a command that mean, as for `git bisect run`, that the commit cannot be tested."""


class Bisection(NamedTuple):
    """The commits that may have made the test fail: one if it was found. `tested` has each tested commit and its
    outcome, in order."""

    candidates: tuple[str, ...]
    tested: tuple[tuple[str, Outcome], ...]

    @property
    def first_bad(self) -> str:
        return self.candidates[0] if len(self.candidates) == 1 else ""


class Range(NamedTuple):
    """What is left to search: the commits after `good` up to `bad`, `left` of them."""

    good: str
    bad: str
    left: int


def bisect(
    commits: GitLog, good: str, bad: str, test: Callable[[str], Outcome], step: Callable[[Range], object]
) -> Bisection:
    """Search between `good` and `bad`, whose outcomes are known; `step` is called with the rest before each test."""
    goods, tested = [good], dict[str, Outcome]()
    while True:
        order = commits.bisection_order(bad, goods)
        left = [commit for commit in order if commit != bad and tested.get(commit) != "skip"]
        if not left:
            return Bisection((bad, *(commit for commit in order if commit != bad)), tuple(tested.items()))
        step(Range(goods[-1], bad, len(order)))
        # After a skip, the next commit is taken from elsewhere, since the neighbours are often broken too.
        commit = left[0 if len(left) == len(order) - 1 else len(left) // 3]
        tested[commit] = test(commit)
        if tested[commit] == "bad":
            bad = commit
        elif tested[commit] == "good":
            goods.append(commit)


class TestRunner:
    """Runs one test at one tree after another, each in a fresh fork of a workspace."""

    __test__ = False

    def __init__(self, workspace: Workspace, command: str, node: str, timeout: float) -> None:
        self._workspace, self._command, self._node, self._timeout = workspace, command, node, timeout

    def run(self, tree: str) -> SuiteReport:
        """Run the test. Raises UsageError if there is no test command."""
        with closing(self._workspace.fork(tree)) as fork:
            fork.expect(HARNESS_SESSION)
            return run_tests(fork, self._command, [self._node] if self._node else (), self._timeout)


def outcome_of(report: SuiteReport, failing: SuiteReport | None = None) -> Outcome:
    """Return the outcome of a run. `failing` is the run at the bad end: only if tests fail there by an error outside of
    them, such an error counts as bad, and only one of the same type."""
    if report.timed_out or report.is_unread:
        return "skip"
    if report.granularity == "command":
        if failing is not None and failing.granularity != "command":
            return "skip"
        skips = report.code == SKIP_CODE or report.code >= FIRST_SIGNAL or report.code < 0
        return "good" if report.code == 0 else "skip" if skips else "bad"
    results = report.results
    if any(result.outcome == "failed" for result in results):
        return "bad"
    errors = {result.error for result in results if result.outcome == "error"}
    if errors:
        return "bad" if failing is None or errors & _errors_alone(failing.results) else "skip"
    return "good" if any(result.ok for result in results) else "skip"


def _errors_alone(results: Sequence[TestResult]) -> set[str]:
    """Return the types of the errors at the bad end, if no test failed there."""
    if any(result.outcome == "failed" for result in results):
        return set()
    return {result.error for result in results} - {""}
