"""Outcomes of a test at a commit, and the order of a bisection with commits that cannot be tested."""

from __future__ import annotations

import pytest

from aci.history.git_log import GitLog
from aci.testing.suite_results import SuiteReport, TestResult
from extensions.code_search.bisection import bisect, outcome_of
from tests.conftest import git


def make_report(*outcomes: str, code: int = 1, granularity: str = "test", error: str = "E") -> SuiteReport:
    results = tuple(TestResult(f"t{n}", outcome, error=error) for n, outcome in enumerate(outcomes))
    return SuiteReport(results, "run", code, granularity=granularity)


FAILS, CANNOT_LOAD = make_report("failed"), make_report("error", error="ImportError")
COMMAND_FAILS = make_report(granularity="command")


@pytest.mark.parametrize(
    ("report", "failing", "outcome"),
    [
        (make_report("passed", "skipped", code=0), FAILS, "good"),
        (make_report("passed", "failed"), FAILS, "bad"),
        (make_report("error"), None, "bad"),
        (make_report("error"), FAILS, "skip"),
        (make_report("error", error="ImportError"), CANNOT_LOAD, "bad"),
        (make_report("error", error="SyntaxError"), CANNOT_LOAD, "skip"),
        (make_report("skipped"), FAILS, "skip"),
        (make_report(), FAILS, "skip"),
        (make_report(granularity="command", code=0), FAILS, "skip"),
        (make_report(granularity="command", code=0), COMMAND_FAILS, "good"),
        (make_report(granularity="command", code=1), COMMAND_FAILS, "bad"),
        (make_report(granularity="command", code=125), COMMAND_FAILS, "skip"),
        (make_report(granularity="command", code=137), COMMAND_FAILS, "skip"),
    ],
)
def test_outcome_of_run(report: SuiteReport, failing: SuiteReport | None, outcome: str) -> None:
    assert outcome_of(report, failing) == outcome


def test_skipped_commits_are_avoided(make_repo) -> None:
    repo = make_repo({"a": "0"})
    commits = [git(repo, "rev-parse", "HEAD").strip()]
    for number in range(1, 16):
        (repo / "a").write_text(str(number))
        git(repo, "commit", "-qam", str(number))
        commits.append(git(repo, "rev-parse", "HEAD").strip())
    broken, left = {7, 8, 9}, []

    def test(commit: str) -> str:
        number = commits.index(commit)
        return "skip" if number in broken else "bad" if number >= 12 else "good"

    log = GitLog(repo / ".git")
    found = bisect(log, commits[0], commits[15], test, lambda rest: left.append(rest.left))
    assert found.first_bad == commits[12]
    assert len(found.tested) <= 7
    assert left == sorted(left, reverse=True)
    broken.update((10, 11))
    found = bisect(log, commits[0], commits[15], test, left.append)
    assert set(found.candidates) == {*commits[7:13]}
    assert found.candidates[0] == commits[12]
