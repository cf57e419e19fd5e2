"""The `debate` strategy: proposals, the choice of the judge, and the next plan after a failed proof."""

from __future__ import annotations

import pytest

from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, equal, new_test

FILES = {
    "calc.py": "from signs import turned\n\n\ndef add(a, b):\n    return a + turned(b)\n",
    "signs.py": "def turned(x):\n    return -x\n\n\ndef same(x):\n    return x\n",
    "shown.py": "def shown(value):\n    return str(value)\n",
    "tests/__init__.py": "",
    "tests/test_shown.py": "import unittest\n\nfrom shown import shown\n\n\nclass ShownTest(unittest.TestCase):\n"
    "    def test_shown(self):\n        self.assertEqual(shown(1), '1')\n",
    ".gitignore": "__pycache__/\n",
}
ISSUE = "add() is wrong\n\nadd(2, 3) gives -1 but should give 5, and shown(add(2, 3)) shows '-1'."
TEST = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
PLANS = {"a": "Change shown() in shown.py.", "b": "add() in calc.py turns the sign."}
WRONG = line(
    "As planned.",
    TEST,
    act("edit", path="shown.py", old="str(value)", new="str(abs(value))"),
    SUBMIT,
    contains="Change shown()",
)
RIGHT = line(
    "As planned.", TEST, act("edit", path="calc.py", old="turned(b)", new="b"), SUBMIT, contains="add() in calc.py"
)


def proposal(number: int, proposer: str, text: str) -> dict:
    return line(text, branch=f"main/round-{number}-{proposer}")


def proposals(**plans: str) -> list[dict]:
    return [proposal(number, proposer, text) for number in (1, 2, 3) for proposer, text in plans.items()]


@pytest.mark.slow
def test_plan_chosen_by_judge_is_carried_out(run_strategy: RunStrategy) -> None:
    chains = run_strategy("debate", line("Well."), files=FILES, issue=ISSUE, attempts=2, max_steps=9).notes("candidate")
    assert len(chains) == 2
    judge = [line("B names the cause.\nB", branch="main/judge-1")]
    run = run_strategy(
        "debate", *proposals(**PLANS), WRONG, RIGHT, files=FILES, issue=ISSUE, attempts=2, roles={"judge": judge}
    )
    assert run.kind == "plausible"
    assert "+    return a + b" in run.result.patch.source
    assert run.notes("vote") == ["The judge chooses B."]
    assert run.notes("phase") == ["chains", "round 1", "round 2", "round 3", "judge", "patch 1"]
    second_prompt = next(step for step in run.steps if step.branch == "main/round-2-a").observations[0].text
    assert "A (you) proposed:" in second_prompt
    assert "B proposed:\nadd() in calc.py turns the sign." in second_prompt
    assert not run_strategy("react", {**WRONG, "contains": ""}, files=FILES, issue=ISSUE).result.exit.verdict.complete


@pytest.mark.slow
def test_next_plan_is_used_after_failed_proof(run_strategy: RunStrategy) -> None:
    judge = [line("A is right.\nA", branch="main/judge-1")]
    run = run_strategy(
        "debate", *proposals(**PLANS), WRONG, RIGHT, files=FILES, issue=ISSUE, attempts=2, roles={"judge": judge}
    )
    assert run.kind == "plausible"
    assert "shown.py" not in run.result.patch.source
    assert run.notes("phase")[-2:] == ["patch 1", "patch 2"]


@pytest.mark.slow
def test_run_with_useless_model_ends(run_strategy: RunStrategy) -> None:
    run = run_strategy("debate", line(""), files=FILES, issue=ISSUE, attempts=2, max_steps=20)
    assert run.result.exit.code == 1
    assert run.result.spent.calls <= 20
