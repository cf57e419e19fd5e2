"""The cross-test matrix: counted tests, and reuse of earlier test runs."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

from aci.repository.patch import split_patch
from agent.candidates import cross_test_matrix
from agent.candidates.cross_test_matrix import Matrix, run_cross_tests
from agent.candidates.diverse_attempts import Candidate
from agent.engine.task import Task
from agent.run_state.attempt_outcome import Outcome
from tests.agent.conftest import Bench
from tests.agent.strategies.conftest import UNITTEST
from trajectories.records import Step
from trajectories.verdict import Verdict

pytestmark = pytest.mark.slow

WEAK, STRICT, RED = "add(2, 3), 5", "add(-2, 3), 1", "add(2, 3), 6"
RIGHT, WRONG = "a + b", "abs(a) + abs(b)"


def make_candidate(task: Task, name: str, body: str, check: str) -> Candidate:
    """Make a candidate with this body of `add` and a test with this check."""
    test = (
        "import unittest\n\nfrom calc import add\n\n\nclass AddTest(unittest.TestCase):\n"
        f"    def test_add(self):\n        self.assertEqual({check})\n"
    )
    files = {"calc.py": f"def add(a, b):\n    return {body}\n", "tests/__init__.py": "", f"tests/test_{name}.py": test}
    tree = task.trees.write({path: text.encode() for path, text in files.items()}, task.turn.base.tree)
    return Candidate(name, tree, Verdict(), split_patch(task.trees, task.turn.base.tree, tree), alike=(name,))


@pytest.fixture
def matrices(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Return a function that takes candidates as (name, body, check) and the number of them in each matrix.

    It returns each matrix with its number of test runs, and the last matrix rebuilt without an earlier one.
    """

    def build_matrices(*given: tuple[str, str, str], counts: Sequence[int]) -> tuple[list[tuple[Matrix, int]], Matrix]:
        bench.begin(test=UNITTEST)
        test_runs: list[int] = []
        original = cross_test_matrix.run_reported_tests
        monkeypatch.setattr(
            cross_test_matrix, "run_reported_tests", lambda *arguments: test_runs.append(1) or original(*arguments)
        )
        results: list[tuple[Matrix, int]] = []
        rebuilt: list[Matrix] = []

        def strategy(task: Task) -> Generator[Step, None, Outcome]:
            yield task.say("Candidates are compared.")
            candidates = [make_candidate(task, *one) for one in given]
            matrix = None
            for number, count in enumerate(counts):
                before = len(test_runs)
                matrix = run_cross_tests(task, candidates[:count], f"cross {number}", before=matrix)
                results.append((matrix, len(test_runs) - before))
            rebuilt.append(run_cross_tests(task, candidates[: counts[-1]], "anew"))
            return Outcome(task.tree, Verdict())

        bench.drive(strategy)
        return results, rebuilt[0]

    return build_matrices


def test_test_counts_if_it_fails_without_patch_and_passes_with_one(matrices) -> None:
    [(matrix, runs)], _ = matrices(("one", RIGHT, STRICT), ("two", WRONG, WEAK), ("three", RIGHT, RED), counts=[3])
    assert sorted(matrix.writer.values()) == ["one", "two"]
    assert [matrix.share(name) for name in ("one", "two", "three")] == [1.0, 0.5, 1.0]
    assert [name.partition(":")[0] for name in matrix.failed("two")] == ["one"]
    assert runs == 3 * 4


def test_later_matrix_runs_only_new_tests(matrices) -> None:
    given = ("one", RIGHT, STRICT), ("two", WRONG, WEAK), ("three", RIGHT, "add(4, 4), 8")
    [(_, first), (later, second), (_, third)], rebuilt = matrices(*given, counts=[2, 3, 3])
    assert later == rebuilt
    assert (first, second, third) == (2 * 3, 2 * 1 + 4, 0)


def test_single_candidate_has_no_share(matrices) -> None:
    [(single, runs), (later, _)], rebuilt = matrices(("one", RIGHT, STRICT), ("two", WRONG, WEAK), counts=[1, 2])
    assert (single.share("one"), runs) == (None, 0)
    assert later == rebuilt


def test_test_counts_if_one_patch_breaks_it_and_another_does_not(matrices) -> None:
    """`add(0, 3)` is wrong without a patch and `add(3, 0)` is right; a patch that breaks it fails the other's test."""
    passing_check = "add(3, 0), 3"
    given = ("one", RIGHT, passing_check), ("two", "b if a == 0 else -1", "add(0, 3), 3")
    [(matrix, _)], _ = matrices(*given, counts=[2])
    assert [test.partition(":")[0] for test in matrix.failed("two")] == ["one"]
    assert matrix.failed("one") == []
    [(test, why)] = matrix.why["two"].items()
    assert test in matrix.green
    assert "-1 != 3" in why


def test_identical_tests_count_once(matrices) -> None:
    given = ("one", WRONG, WEAK), ("two", "abs(a) + b", WEAK), ("three", RIGHT, STRICT)
    [(matrix, _)], _ = matrices(*given, counts=[3])
    assert sorted(set(matrix.writer.values())) == ["one", "three"]
    assert [matrix.share(name) for name in ("one", "two", "three")] == [0.5, 0.5, 1.0]
