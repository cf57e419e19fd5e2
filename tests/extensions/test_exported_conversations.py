"""Training rows of each strategy: a complete proof gives one proven row, whose prompt and replies are the model's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agent.conversation.model_roles import CODER, roles_of
from agent.runs.run_lookup import open_own_run
from extensions.lab.exports import rloo, sft
from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy, edit_calc, equal, new_test
from tests.extensions.papers.test_code_act import FIX as CODE
from tests.extensions.papers.test_code_act import LOOK
from tests.extensions.papers.test_code_act import SUBMIT as CODE_SUBMIT
from tests.extensions.papers.test_pipeline import QUESTIONS, block, patches
from trajectories.trajectory import RunView

pytestmark = pytest.mark.slow

SAID = "The sign is wrong."
TEST = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
FIX = line(SAID, TEST, edit_calc("a + b"), SUBMIT)
ANSWER = "The plus is missing in calc.py:1 add.\nA\n0.9\nyes"
FAILURE = line("Nothing is wrong.", SUBMIT)

Script = tuple[Sequence[dict[str, Any]], dict[str, Any]]
SCRIPTS: dict[str, Script] = {
    "best-of": ([FIX], {"attempts": 1}),
    "code-act": ([line(text, n=n) for n, text in enumerate((LOOK, CODE, CODE_SUBMIT), 1)], {}),
    "converse": ([line("add() subtracts.", n=1, branch="main"), {**FIX, "n": 2}], {"attempts": 1}),
    "debate": ([FIX], {"attempts": 2}),
    "evolve": ([FIX], {"attempts": 1}),
    "flow": ([line("Both fail.", branch="main/tests"), FIX], {}),
    "graph-query": ([FIX], {}),
    "graph-search": ([FIX], {}),
    "pipeline": ([*QUESTIONS, *patches(block("return a + b"))], {"attempts": 1}),
    "rank-fusion": ([FIX], {}),
    "react": ([FIX], {}),
    "recall": ([FIX], {}),
    "retrieve": ([FIX], {}),
    "search-api": ([FIX], {}),
    "spec": ([FIX], {}),
    "team": ([FIX], {}),
    "test-then-patch": ([FIX], {}),
    "tree": ([FIX], {"attempts": 1}),
}


@pytest.fixture
def exported(run_strategy: RunStrategy) -> Callable[..., RunView]:
    def run_and_open(strategy: str, lines: Sequence[dict[str, Any]], **settings: Any) -> RunView:
        helpers = {role: [line(ANSWER)] for role in roles_of(strategy) if role not in (CODER, "editor", "senior")}
        if strategy == "pipeline":
            helpers = {}
        run: FinishedRun = run_strategy(strategy, *lines, roles=helpers, **settings)
        return open_own_run(run.result.directory)

    return run_and_open


@pytest.mark.parametrize("strategy", SCRIPTS)
def test_complete_proof_is_one_proven_row(exported: Callable[..., RunView], strategy: str) -> None:
    lines, settings = SCRIPTS[strategy]
    good = exported(strategy, lines, **settings)
    bad = exported(strategy, [*lines[:-1], FAILURE], max_steps=12, **settings)
    assert good.trajectory.exit is not None
    assert good.trajectory.exit.kind == "plausible"
    expected = lines[-1]["reply"]["text"]
    try:
        parts = [json.loads(each) for each in sft.export([good])]
        rows = [json.loads(each) for each in rloo.export([good, bad])]
    finally:
        good.close()
        bad.close()
    proven = [each for each in rows if each["proven"]]
    assert [each["run"] for each in proven] == [good.name]
    assert {each["proven"] for each in rows} == {True, False}
    assert {each["branch"] for each in parts} == (
        {"main/tests", "main/fix"} if strategy == "flow" else {proven[0]["branch"]}
    )
    for each in (next(part for part in parts if part["branch"] == proven[0]["branch"]), *proven):
        assert expected in [message["content"] for message in each["completion"] if message["role"] == "assistant"]
        assert "add() subtracts" in "\n".join(message["content"] for message in each["prompt"])
        assert ANSWER not in [message["content"] for message in each["completion"]]
