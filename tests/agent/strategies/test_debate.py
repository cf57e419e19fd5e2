"""Debate. The cases, written before the strategy:

1. Two chains of calls; the proposer on the wrong one is found wrong, and the judge takes the other's plan: the coder,
   who does what the plan says, is proven with it, and not with the first one's.
2. The judge is wrong: the plan fails its proof, is taken back, and the other one is carried out.
3. From the second round on proposers read what the others said.
4. Nobody proposes anything: the coder is on its own, and comes to an end.
"""

from __future__ import annotations

import pytest

from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, Solved, equal, test_of

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
TEST = test_of("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
PLANS = {"a": "Change shown() in shown.py.", "b": "add() in calc.py turns the sign."}
WRONG = line(
    "As told.",
    TEST,
    act("edit", path="shown.py", old="str(value)", new="str(abs(value))"),
    SUBMIT,
    contains="Change shown()",
)
RIGHT = line(
    "As told.", TEST, act("edit", path="calc.py", old="turned(b)", new="b"), SUBMIT, contains="add() in calc.py"
)


def said(number: int, who: str, text: str) -> dict:
    return line(text, branch=f"main/round-{number}-{who}")


def proposals(**plans: str) -> list[dict]:
    return [said(number, who, text) for number in (1, 2, 3) for who, text in plans.items()]


@pytest.mark.slow
def test_judge_decides(solved: Solved) -> None:
    chains = solved("debate", line("Well."), files=FILES, issue=ISSUE, attempts=2, max_steps=9).notes("candidate")
    assert len(chains) == 2
    judge = [line("B names the cause.\nB", branch="main/judge-1")]
    ended = solved(
        "debate", *proposals(**PLANS), WRONG, RIGHT, files=FILES, issue=ISSUE, attempts=2, roles={"judge": judge}
    )
    assert ended.kind == "verified"
    assert "+    return a + b" in ended.result.patch.source
    assert ended.notes("vote") == ["The judge chooses B."]
    assert ended.notes("phase") == ["chains", "round 1", "round 2", "round 3", "judge", "patch 1"]
    second = next(step for step in ended.steps if step.branch == "main/round-2-a").observations[0].text
    assert "A (you) proposed:" in second
    assert "B proposed:\nadd() in calc.py turns the sign." in second
    assert solved("react", {**WRONG, "contains": ""}, files=FILES, issue=ISSUE).kind != "verified"


@pytest.mark.slow
def test_plan_that_fails_gives_way_to_another(solved: Solved) -> None:
    judge = [line("A is right.\nA", branch="main/judge-1")]
    ended = solved(
        "debate", *proposals(**PLANS), WRONG, RIGHT, files=FILES, issue=ISSUE, attempts=2, roles={"judge": judge}
    )
    assert ended.kind == "verified"
    assert "shown.py" not in ended.result.patch.source
    assert ended.notes("phase")[-2:] == ["patch 1", "patch 2"]


def test_useless_model_comes_to_end(solved: Solved) -> None:
    ended = solved("debate", line(""), files=FILES, issue=ISSUE, attempts=2, max_steps=20)
    assert ended.result.exit.code == 1
    assert ended.result.spent.calls <= 20
