"""Runs of every strategy, cut off at their records and gone on with: the end is the same, and nobody is asked twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.config.settings import ModelTable, load_settings
from agent.engine.run_lifecycle import reopen
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, Ended, Solved, equal, finished, mend, test_of
from tests.agent.strategies.test_code_act import LOOK, MEND, TRY
from tests.agent.strategies.test_code_act import SUBMIT as HAND_IN
from tests.agent.strategies.test_debate import FILES as SIGNS
from tests.agent.strategies.test_debate import ISSUE as OF_SIGNS
from tests.agent.strategies.test_debate import PLANS, RIGHT, WRONG, proposals
from tests.agent.strategies.test_evolve import ASKED, ONE, OTHER
from tests.agent.strategies.test_pipeline import QUESTIONS, block, patches
from tests.agent.strategies.test_tree import ASTRAY, BACK
from tests.conftest import copy_run
from tests.e2e.kill_runner import account
from tests.sampling import sample
from trajectories.journal import read
from trajectories.records import Run, Turn

pytestmark = pytest.mark.slow

TEST = test_of("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
WEAK = test_of("weak", equal("add(2, 3)", 5), equal("add(1, 1)", 2))
GOOD = line("So.", TEST, mend("a + b"), SUBMIT)
LESS = line("So.", WEAK, mend("abs(a) + abs(b)"), SUBMIT)


def best_of(solved: Solved) -> Ended:
    selector = [line("The sign counts.\nA")]
    lines = [{**LESS, "branch": "main/try-1"}, {**GOOD, "branch": "main/try-2"}]
    return solved("best-of", *lines, attempts=2, roles={"selector": selector})


def tree(solved: Solved) -> Ended:
    again = {**GOOD, "contains": BACK, "branch": "main"}
    return solved("tree", ASTRAY, again, line("Hm.", act("view", path="calc.py")), roles={"critic": [line("No.\n0")]})


def evolve(solved: Solved) -> Ended:
    child = line("Both are needed.", SUBMIT, branch="main/crossed-2")
    return solved("evolve", ONE, OTHER, child, line("I do not know."), attempts=2, **ASKED)


def debate(solved: Solved) -> Ended:
    judge = [line("A.\nA", branch="main/judge-1")]
    return solved(
        "debate", *proposals(**PLANS), WRONG, RIGHT, files=SIGNS, issue=OF_SIGNS, attempts=2, roles={"judge": judge}
    )


def converse(solved: Solved) -> Ended:
    words, wrong = (
        line("It subtracts.", n=1, branch="main"),
        line("So.", TEST, mend("a * b"), SUBMIT, n=2, branch="main"),
    )
    other = line("Again.", TEST, mend("a + b"), SUBMIT)
    return solved("converse", words, wrong, other, attempts=2)


def pipeline(solved: Solved) -> Ended:
    texts = [block("return abs(a) + abs(b)"), block("return a + b"), block("return a + b  # the sum")]
    return solved("pipeline", *QUESTIONS, *patches(*texts))


def recall(solved: Solved) -> Ended:
    said = [line("Signs.", branch=f"main/recall-1-{n}") for n in (1, 2, 3)]
    weighed = [line("True.\n0.9", branch=f"main/recall-1-weigh-{n}") for n in (1, 2, 3)]
    return solved("recall", *said, *weighed, line("A plus.", branch="main/plan-1-1"), GOOD)


def spec(solved: Solved) -> Ended:
    reads = line("It adds.", branch="main/intent"), line("Signs stay.", branch="main/generalise-1-1")
    reviews = line("Signs.\nno", branch="main/review-1-1"), line("Good.\nyes", branch="main/review-2-1")
    again = line("So.", TEST, mend("a + b", "abs(a) + abs(b)"), SUBMIT, branch="main/mend", n=2)
    return solved("spec", *reads, *reviews, again, {**LESS, "branch": "main/mend", "n": 1})


def team(solved: Solved) -> Ended:
    """The test command is found by itself; the tester comes round twice, with tools."""
    looks = [line("Look.", act("shell", command="cat calc.py"), branch="main/test", n=n) for n in (1, 3)]
    says = line("Signs.\nno", branch="main/test", n=2), line("Good.\nyes", branch="main/test", n=4)
    plans = line("calc.py", branch="main/explore"), line("A plus.", branch="main/plan-1-1")
    again = line("So.", TEST, mend("a + b", "abs(a) + abs(b)"), SUBMIT, branch="main/develop", n=2)
    return solved("team", *plans, *looks, *says, again, {**LESS, "branch": "main/develop", "n": 1}, test="")


def search_api(solved: Solved) -> Ended:
    """An edit that does not fit is told of, and mended."""
    wrong = "twice(a, b) + b - a"
    reads = line("Look.", act("symbols", name="add"), branch="main/search", n=1)
    again = line("Ah.", mend("twice(a) + b - a", wrong), SUBMIT, branch="main/mend", n=2)
    first = line("So.", TEST, mend(wrong), branch="main/mend", n=1)
    return solved("search-api", reads, line("calc.py:add.", branch="main/search", n=2), first, again)


def code_act(solved: Solved) -> Ended:
    """No block needs another's names: an interpreter does not outlive an interruption."""
    alone = MEND.replace("assert source", "source = open('calc.py').read()\nassert source")
    return solved("code-act", *(line(text, n=n) for n, text in enumerate((LOOK, alone, TRY, HAND_IN), 1)))


def retrieve(solved: Solved) -> Ended:
    """What fails is weighed once more."""
    says = line("Nothing.", branch="main/weigh-1-1"), line("Signs.", branch="main/reflect-1-1")
    wrong = line("So.", act("edit", path="calc.py", old="a * 2", new="a * 3"), SUBMIT, branch="main/mend", n=1)
    back = act("edit", path="calc.py", old="a * 3", new="a * 2")
    return solved("retrieve", *says, wrong, line("So.", TEST, mend("a + b"), back, SUBMIT, branch="main/mend"))


CASES = best_of, tree, evolve, debate, converse, pipeline, recall, spec, team, search_api, code_act, retrieve


@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", CASES)
def test_cut_off_at_its_records_it_comes_to_same(strategy, solved: Solved) -> None:
    whole = strategy(solved)
    assert whole.kind == "verified"
    directory = whole.result.directory
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = next(n for n, one in enumerate(read(directory).records) if not isinstance(one, Run | Turn))
    for kept in sample(list(range(first, len(lines))), 2):
        copy = directory.parent / f"{directory.name}-{kept}"
        copy_run(directory, copy, b"".join(lines[:kept]) + lines[kept][:9])
        cut = account(copy)
        again = finished(reopen(copy, load_settings(state=directory.parents[1]).state))
        assert (again.kind, again.result.patch.diff) == (whole.kind, whole.result.patch.diff), kept
        asked = [sorted(ended.trajectory.replies) for ended in (whole, again)]
        assert asked[0] == asked[1], kept
        under_way = cut["calls"] - len(cut["replies"])
        assert account(copy)["calls"] == len(asked[0]) + under_way, "asked twice"
        for kind in ("candidate", "score", "vote", "prune"):
            assert told(again, kind) == told(whole, kind), kept


def told(ended: Ended, kind: str) -> list[str]:
    """The notes of a kind, without the numbers of steps: a resumed run has one more, which says so."""
    return sorted(re.sub(r"step \d+ from \d+", "step", text) for text in ended.notes(kind))


def test_attempts_do_not_see_each_others_files(solved: Solved, tmp_path: Path) -> None:
    """Both write, wait until the other one has, and look."""

    def looks(own: int, other: int) -> dict:
        flag = tmp_path / "flag"
        commands = (
            f"echo {own} > mine-{own}.txt; echo {own} > ~/mine-{own}.txt; "
            f"touch {flag}-{own}; for _ in $(seq 200); do test -e {flag}-{other} && break; sleep 0.1; done; "
            f"test -e {flag}-{other} && ls . ~; git status --short"
        )
        return line("Looking.", act("shell", command=commands), branch=f"main/try-{own}", n=1)

    ended = solved("best-of", looks(1, 2), looks(2, 1), line("That is all."), attempts=2, rounds=1, max_steps=9)
    seen = {step.branch: step.observations[0].text for step in ended.steps if step.reply == 1}
    for own, other in ((1, 2), (2, 1)):
        assert seen[f"main/try-{own}"].count(f"mine-{own}.txt") == 3
        assert f"mine-{other}.txt" not in seen[f"main/try-{own}"]


def test_attempts_have_one_purse(solved: Solved) -> None:
    looks = line("Looking.", act("shell", command="true"), usage={"input_tokens": 10_000, "output_tokens": 1_000})
    tables = {"scripted": ModelTable(price_in=1.0, price_out=1.0, max_output=1_000)}
    ended = solved("best-of", looks, attempts=3, budget=0.04, models=tables)
    assert (ended.kind, ended.result.exit.code) == ("budget", 4)
    assert ended.result.spent.dollars <= 0.04
