"""Candidates of a run of `best-of`: only the attempt whose patch is proven counts as proven."""

from __future__ import annotations

import pytest

from agent.runs.run_lookup import open_own_run
from extensions.lab.training.candidates import candidates
from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, new_test
from tests.agent.strategies.test_best_of import RIGHT, STRONG, WEAK, wrong_attempt


@pytest.mark.slow
def test_each_attempt_is_candidate(run_strategy: RunStrategy) -> None:
    right = line("So.", new_test("strong", *WEAK, *STRONG), RIGHT, SUBMIT, branch="main/try-3")
    run = run_strategy("best-of", wrong_attempt(1), wrong_attempt(2), right)
    trained = candidates(open_own_run(run.result.directory))
    assert {one.branches[0]: one.proven for one in trained} == {
        "main/try-1": False,
        "main/try-2": False,
        "main/try-3": True,
    }
