"""The cross-test matrix: which tests count, and that a later one runs only what an earlier one did not."""

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
from trajectories.records import Step, Verdict

pytestmark = pytest.mark.slow

WEAK, TELLING, RED = "add(2, 3), 5", "add(-2, 3), 1", "add(2, 3), 6"
RIGHT, WRONG = "a + b", "abs(a) + abs(b)"


def made(task: Task, name: str, body: str, check: str) -> Candidate:
    """A candidate with this body of `add`, and a test that looks at this."""
    test = (
        "import unittest\n\nfrom calc import add\n\n\nclass AddTest(unittest.TestCase):\n"
        f"    def test_add(self):\n        self.assertEqual({check})\n"
    )
    files = {"calc.py": f"def add(a, b):\n    return {body}\n", "tests/__init__.py": "", f"tests/test_{name}.py": test}
    tree = task.trees.write({path: text.encode() for path, text in files.items()}, task.base.tree)
    return Candidate(name, tree, Verdict(), split_patch(task.trees, task.base.tree, tree), alike=(name,))


@pytest.fixture
def matrices(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Takes candidates as (name, body, check) and how many there are at each look; the matrices, each with how many
    times tests were run for it, and the last as it is made anew."""

    def looked(*given: tuple[str, str, str], looks: Sequence[int]) -> tuple[list[tuple[Matrix, int]], Matrix]:
        bench.begin(test=UNITTEST)
        ran: list[int] = []
        really = cross_test_matrix.run_reported_tests
        monkeypatch.setattr(cross_test_matrix, "run_reported_tests", lambda *words: ran.append(1) or really(*words))
        found: list[tuple[Matrix, int]] = []
        anew: list[Matrix] = []

        def strategy(task: Task) -> Generator[Step, None, Outcome]:
            yield task.say("Candidates are compared.")
            every = [made(task, *one) for one in given]
            matrix = None
            for number, count in enumerate(looks):
                before = len(ran)
                matrix = run_cross_tests(task, every[:count], f"cross {number}", before=matrix)
                found.append((matrix, len(ran) - before))
            anew.append(run_cross_tests(task, every[: looks[-1]], "anew"))
            return Outcome(task.tree, Verdict())

        bench.drive(strategy)
        return found, anew[0]

    return looked


def test_test_counts_that_fails_without_patch_and_passes_with_one(matrices) -> None:
    [(matrix, runs)], _ = matrices(("one", RIGHT, TELLING), ("two", WRONG, WEAK), ("three", RIGHT, RED), looks=[3])
    assert sorted(matrix.writer.values()) == ["one", "two"]
    assert [matrix.share(name) for name in ("one", "two", "three")] == [1.0, 0.5, 1.0]
    assert [name.partition(":")[0] for name in matrix.failed("two")] == ["one"]
    assert runs == 3 * 4


def test_what_was_run_before_is_not_run_again(matrices) -> None:
    given = ("one", RIGHT, TELLING), ("two", WRONG, WEAK), ("three", RIGHT, "add(4, 4), 8")
    [(_, first), (later, second), (_, third)], anew = matrices(*given, looks=[2, 3, 3])
    assert later == anew
    assert (first, second, third) == (2 * 3, 2 * 1 + 4, 0)


def test_of_one_candidate_nothing_is_known(matrices) -> None:
    [(alone, none), (later, _)], anew = matrices(("one", RIGHT, TELLING), ("two", WRONG, WEAK), looks=[1, 2])
    assert (alone.share("one"), none) == (None, 0)
    assert later == anew


def test_what_patch_loses_and_another_keeps_counts(matrices) -> None:
    """`add(0, 3)` is wrong without a patch, `add(3, 0)` is not: a patch that loses it fails a test of another."""
    keeps = "add(3, 0), 3"
    given = ("one", RIGHT, keeps), ("two", "b if a == 0 else -1", "add(0, 3), 3")
    [(matrix, _)], _ = matrices(*given, looks=[2])
    assert [test.partition(":")[0] for test in matrix.failed("two")] == ["one"]
    assert matrix.failed("one") == []
    [(test, why)] = matrix.why["two"].items()
    assert test in matrix.green
    assert "-1 != 3" in why


def test_same_tests_count_once(matrices) -> None:
    given = ("one", WRONG, WEAK), ("two", "abs(a) + b", WEAK), ("three", RIGHT, TELLING)
    [(matrix, _)], _ = matrices(*given, looks=[3])
    assert sorted(set(matrix.writer.values())) == ["one", "three"]
    assert [matrix.share(name) for name in ("one", "two", "three")] == [0.5, 0.5, 1.0]
