"""Runs of every strategy, interrupted at a record and resumed: the result is the same and no request is repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.environments.environment_plan import EnvironmentOptions, FailedSetup
from aci.runtime.workspace import WorkspaceOptions
from agent.config.model_table import ModelTable
from agent.config.settings import load_settings
from agent.lifecycle.run_lifecycle import reopen
from agent.permissions.approvals import Answer, Approval
from extensions.environments import preparation
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy, edit_calc, equal, finish_run, new_test
from tests.conftest import copy_run, cut_run
from tests.e2e.kill_runner import account
from tests.extensions.papers.test_code_act import FIX, LOOK, TRY
from tests.extensions.papers.test_code_act import SUBMIT as SUBMIT_BLOCK
from tests.extensions.papers.test_debate import FILES as SIGNS_FILES
from tests.extensions.papers.test_debate import ISSUE as SIGNS_ISSUE
from tests.extensions.papers.test_debate import PLANS, RIGHT, WRONG, proposals
from tests.extensions.papers.test_evolve import FIRST_FIX, OPTIONS, SECOND_FIX
from tests.extensions.papers.test_graph_search import graph_search
from tests.extensions.papers.test_phase_graph_strategies import AREA_ISSUE, SEARCH_LINES, SHAPES
from tests.extensions.papers.test_pipeline import QUESTIONS, block, patches
from tests.extensions.papers.test_rank_fusion import rank_fusion
from tests.extensions.papers.test_team import BOTH, TWO_FILES, TWO_PARTS_ISSUE
from tests.extensions.papers.test_tree import ADDS, BACKTRACK_TEXT, DEAD_END, FORECAST, LENGTHS
from tests.extensions.repair.test_templates_strategy import ANSWER, CHECKSUM_FILES
from tests.extensions.testgen.test_write_tests import OPTIONS as LOCK_OPTIONS
from tests.extensions.testgen.test_write_tests import RIGHT as LOCK_REPLY
from tests.extensions.testgen.test_write_tests import reply, shorten_search, written_tests
from tests.sampling import sample
from trajectories.errors import WorkspaceError
from trajectories.journal import read
from trajectories.records import Run, Turn

pytestmark = pytest.mark.slow

TEST = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
WEAK = new_test("weak", equal("add(2, 3)", 5), equal("add(1, 1)", 2))
GOOD = line("So.", TEST, edit_calc("a + b"), SUBMIT)
INCOMPLETE = line("So.", WEAK, edit_calc("abs(a) + abs(b)"), SUBMIT)


def best_of(run_strategy: RunStrategy) -> FinishedRun:
    selector = [line("The sign counts.\nA")]
    lines = [{**INCOMPLETE, "branch": "main/try-1"}, {**GOOD, "branch": "main/try-2"}]
    return run_strategy("best-of", *lines, attempts=2, roles={"selector": selector})


def tree(run_strategy: RunStrategy) -> FinishedRun:
    second_try = {**GOOD, "contains": BACKTRACK_TEXT, "branch": "main"}
    return run_strategy(
        "tree", DEAD_END, second_try, line("Hm.", act("view", path="calc.py")), roles={"critic": [line("No.\n0")]}
    )


def tree_with_forecast(run_strategy: RunStrategy) -> FinishedRun:
    return run_strategy("tree", LENGTHS, ADDS, roles={"forecaster": [line(FORECAST)]})


def evolve(run_strategy: RunStrategy) -> FinishedRun:
    child = line("Both are needed.", SUBMIT, branch="main/crossed-2")
    return run_strategy("evolve", FIRST_FIX, SECOND_FIX, child, line("I do not know."), attempts=2, **OPTIONS)


def debate(run_strategy: RunStrategy) -> FinishedRun:
    judge = [line("A.\nA", branch="main/judge-1")]
    return run_strategy(
        "debate",
        *proposals(**PLANS),
        WRONG,
        RIGHT,
        files=SIGNS_FILES,
        issue=SIGNS_ISSUE,
        attempts=2,
        roles={"judge": judge},
    )


def converse(run_strategy: RunStrategy) -> FinishedRun:
    words, wrong = (
        line("It subtracts.", n=1, branch="main"),
        line("So.", TEST, edit_calc("a * b"), SUBMIT, n=2, branch="main"),
    )
    other = line("Again.", TEST, edit_calc("a + b"), SUBMIT)
    return run_strategy("converse", words, wrong, other, attempts=2)


def pipeline(run_strategy: RunStrategy) -> FinishedRun:
    texts = [block("return abs(a) + abs(b)"), block("return a + b"), block("return a + b  # the sum")]
    return run_strategy("pipeline", *QUESTIONS, *patches(*texts))


def recall(run_strategy: RunStrategy) -> FinishedRun:
    memories = [line("Signs.", branch=f"main/recall-1-{n}") for n in (1, 2, 3)]
    weights = [line("True.\n0.9", branch=f"main/recall-1-weigh-{n}") for n in (1, 2, 3)]
    return run_strategy("recall", *memories, *weights, line("A plus.", branch="main/plan-1-1"), GOOD)


def spec(run_strategy: RunStrategy) -> FinishedRun:
    reads = line("It adds.", branch="main/intent"), line("Signs stay.", branch="main/generalise-1-1")
    reviews = line("Signs.\nno", branch="main/review-1-1"), line("Good.\nyes", branch="main/review-2-1")
    second_try = line("So.", TEST, edit_calc("a + b", "abs(a) + abs(b)"), SUBMIT, branch="main/fix", n=2)
    return run_strategy("spec", *reads, *reviews, second_try, {**INCOMPLETE, "branch": "main/fix", "n": 1})


def team(run_strategy: RunStrategy) -> FinishedRun:
    """The test command is detected automatically; the tester works twice, with tools."""
    inspections = [line("Look.", act("shell", command="cat calc.py"), branch="main/test", n=n) for n in (1, 3)]
    verdicts = line("Signs.\nno", branch="main/test", n=2), line("Good.\nyes", branch="main/test", n=4)
    chosen = line("A", branch="main/choose-graph")
    plans = chosen, line("calc.py", branch="main/explore"), line("A plus.", branch="main/plan-1-1")
    second_try = line("So.", TEST, edit_calc("a + b", "abs(a) + abs(b)"), SUBMIT, branch="main/develop", n=2)
    return run_strategy(
        "team", *plans, *inspections, *verdicts, second_try, {**INCOMPLETE, "branch": "main/develop", "n": 1}, test=""
    )


def team_of_two(run_strategy: RunStrategy) -> FinishedRun:
    return run_strategy("team", *BOTH, files=TWO_FILES, issue=TWO_PARTS_ISSUE)


def search_api(run_strategy: RunStrategy) -> FinishedRun:
    """An edit that does not fit is reported and fixed."""
    wrong = "twice(a, b) + b - a"
    reads = line("Look.", act("symbols", name="add"), branch="main/search", n=1)
    second_try = line("Ah.", edit_calc("twice(a) + b - a", wrong), SUBMIT, branch="main/fix", n=2)
    first = line("So.", TEST, edit_calc(wrong), branch="main/fix", n=1)
    return run_strategy("search-api", reads, line("calc.py:add.", branch="main/search", n=2), first, second_try)


def code_act(run_strategy: RunStrategy) -> FinishedRun:
    """No block uses names of another block: an interpreter does not survive an interruption."""
    independent_fix = FIX.replace("assert source", "source = open('calc.py').read()\nassert source")
    return run_strategy(
        "code-act", *(line(text, n=n) for n, text in enumerate((LOOK, independent_fix, TRY, SUBMIT_BLOCK), 1))
    )


def retrieve(run_strategy: RunStrategy) -> FinishedRun:
    """The failure is weighed again."""
    weights_and_reflection = line("Nothing.", branch="main/weigh-1-1"), line("Signs.", branch="main/reflect-1-1")
    wrong = line("So.", act("edit", path="calc.py", old="a * 2", new="a * 3"), SUBMIT, branch="main/fix", n=1)
    back = act("edit", path="calc.py", old="a * 3", new="a * 2")
    return run_strategy(
        "retrieve",
        *weights_and_reflection,
        wrong,
        line("So.", TEST, edit_calc("a + b"), back, SUBMIT, branch="main/fix"),
    )


def choose(asked: Approval) -> Answer:
    return Answer(True, chosen=(1,))


def asks(run_strategy: RunStrategy) -> FinishedRun:
    """The user decides between two readings."""
    question = act("ask_user", question="Which sign?", options=["lost", "kept"])
    fix = line("So.", TEST, edit_calc("a + b"), SUBMIT, contains="The user answers: kept")
    return run_strategy("test-then-patch", line("Which?", question, n=1), fix, INCOMPLETE, choose=choose)


def delegates(run_strategy: RunStrategy) -> FinishedRun:
    """One helper reads, another one changes a file, which is merged."""
    reader, writer = "main/helper-2-1", "main/helper-2-2"
    helpers = act("delegate", task="Read calc.py."), act("delegate", task="Make it add.", changes=True)
    lines = [
        line("Help.", *helpers, branch="main", n=1),
        line("Look.", act("view", path="calc.py"), branch=reader, n=1),
        line("It subtracts.", branch=reader, n=2),
        line("So.", edit_calc("a + b"), branch=writer, n=1),
        line("It adds.", branch=writer, n=2),
    ]
    return run_strategy("test-then-patch", *lines, line("So.", TEST, SUBMIT, branch="main"), delegates=True)


def graph_query(run_strategy: RunStrategy) -> FinishedRun:
    """The first statement fails and is written again."""
    return run_strategy("graph-query", *SEARCH_LINES, files=SHAPES, issue=AREA_ISSUE, max_steps=20)


CASES = (
    asks,
    delegates,
    best_of,
    tree,
    evolve,
    debate,
    converse,
    pipeline,
    recall,
    spec,
    team,
    team_of_two,
    search_api,
    code_act,
    retrieve,
    graph_search,
    rank_fusion,
    graph_query,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", CASES)
def test_interrupted_run_has_same_result_when_resumed(strategy, run_strategy: RunStrategy) -> None:
    check_resumed_runs(strategy(run_strategy))


def test_interrupted_set_up_asks_no_model_again(run_strategy: RunStrategy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set-up begins anew in each process, and comes to the same failure."""

    def set_up(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> WorkspaceOptions:
        failed = FailedSetup("img", "python", (), ("make",), "make", "no rule")
        if settings.propose is None or list(settings.propose(failed)) != ["make all"]:
            raise WorkspaceError("The set-up failed.", "")
        return options

    monkeypatch.setattr(preparation, "add_environment", set_up)
    with pytest.raises(WorkspaceError, match="The set-up failed"):
        run_strategy("react", GOOD, setup_repair=False)
    check_resumed_runs(run_strategy("react", {**line("```\nmake all\n```"), "contains": "no known repair"}, GOOD))


def check_resumed_runs(complete: FinishedRun) -> None:
    """Check that a run which is interrupted at some of its records and resumed comes to the same."""
    assert complete.kind in ("plausible", "verified")
    for count, resumed in resumed_runs(complete):
        assert (resumed.kind, resumed.result.patch.diff) == (complete.kind, complete.result.patch.diff), count
        for kind in ("candidate", "score", "vote", "prune"):
            assert note_texts(resumed, kind) == note_texts(complete, kind), count


@pytest.mark.timeout(900)
def test_interrupted_search_for_tests_asks_nothing_twice(run_strategy: RunStrategy, monkeypatch) -> None:
    """The time of its search differs from run to run, and so may its tests; those of the model do not."""
    shorten_search(monkeypatch)
    complete = run_strategy("write-tests", reply(LOCK_REPLY), **LOCK_OPTIONS)
    assert complete.kind == "written"
    for count, resumed in resumed_runs(complete):
        assert resumed.kind == complete.kind, count
        assert all("opened('Qkx9xkkkQ') == 13" in written_tests(one) for one in (resumed, complete)), count


@pytest.mark.timeout(900)
def test_interrupted_search_with_fillings_asks_nothing_twice(run_strategy: RunStrategy, monkeypatch) -> None:
    monkeypatch.setattr("extensions.repair.template_search.SEARCH_SECONDS", 3.0)
    complete = run_strategy("templates", files=CHECKSUM_FILES, roles={"filler": [line(ANSWER)]})
    assert "(n * n + 7) % 11" in complete.result.patch.source
    for count, resumed in resumed_runs(complete):
        assert (resumed.kind, resumed.result.patch.diff) == (complete.kind, complete.result.patch.diff), count


def resumed_runs(complete: FinishedRun) -> Iterator[tuple[int, FinishedRun]]:
    """Yield runs that were killed at a record and resumed, with its number; none repeats a request."""
    directory = complete.result.directory
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = next(n for n, record in enumerate(read(directory).records) if not isinstance(record, Run | Turn))
    for count in sample(list(range(first, len(lines))), 2):
        copy = directory.parent / f"{directory.name}-{count}"
        copy_run(directory, copy, b"".join(lines[:count]) + lines[count][:9])
        interrupted = account(copy)
        resumed = finish_run(reopen(copy, load_settings(state=directory.parents[1]).state), choose, delegates=True)
        request_ids = [sorted(run.trajectory.replies) for run in (complete, resumed)]
        assert request_ids[0] == request_ids[1], count
        open_requests = interrupted["calls"] - len(interrupted["replies"])
        assert account(copy)["calls"] == len(request_ids[0]) + open_requests, "a request was repeated"
        yield count, resumed


def note_texts(run: FinishedRun, kind: str) -> list[str]:
    """The notes of a kind without step numbers: a resumed run has one more note, about the resumption."""
    return sorted(re.sub(r"step \d+ from \d+", "step", text) for text in run.notes(kind))


def test_attempts_do_not_see_each_others_files(run_strategy: RunStrategy, tmp_path: Path) -> None:
    """Each attempt writes, waits until the other one has written, and lists the files."""

    def write_and_list(own: int, other: int) -> dict:
        flag = tmp_path / "flag"
        commands = (
            f"echo {own} > mine-{own}.txt; echo {own} > ~/mine-{own}.txt; "
            f"touch {flag}-{own}; for _ in $(seq 200); do test -e {flag}-{other} && break; sleep 0.1; done; "
            f"test -e {flag}-{other} && ls . ~; git status --short"
        )
        return line("Looking.", act("shell", command=commands), branch=f"main/try-{own}", n=1)

    run = run_strategy(
        "best-of", write_and_list(1, 2), write_and_list(2, 1), line("That is all."), attempts=2, rounds=1, max_steps=9
    )
    listings = {step.branch: step.observations[0].text for step in run.steps if step.reply == 1}
    for own, other in ((1, 2), (2, 1)):
        assert listings[f"main/try-{own}"].count(f"mine-{own}.txt") == 3
        assert f"mine-{other}.txt" not in listings[f"main/try-{own}"]


def test_attempts_share_one_budget(run_strategy: RunStrategy) -> None:
    view_reply = line("Looking.", act("shell", command="true"), usage={"input_tokens": 10_000, "output_tokens": 1_000})
    tables = {"scripted": ModelTable(price_in=1.0, price_out=1.0, max_output=1_000)}
    run = run_strategy("best-of", view_reply, attempts=3, budget=0.04, models=tables)
    assert (run.kind, run.result.exit.code) == ("budget", 4)
    assert run.result.spent.dollars <= 0.04


def test_verdict_of_a_run_resumed_after_its_proof_has_notes_on_the_environment(
    run_strategy: RunStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resumed run opens no workspace."""
    monkeypatch.setattr("agent.engine.engine.proposed_steps", lambda options: ("accept",))
    monkeypatch.setattr("agent.engine.engine.find_installed_copies", lambda *place: ("calc is installed.",))
    complete = run_strategy("react", GOOD)
    directory = complete.result.directory
    records = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    cut_run(directory, b"".join(records[:-1]))
    engine = reopen(directory, load_settings(state=directory.parents[1]).state)
    resumed = finish_run(engine)
    assert not engine.workspaces.opened
    notes = {"The environment was set up with commands of a model: accept.", "calc is installed."}
    assert notes <= set(complete.result.exit.verdict.notes)
    assert notes <= set(resumed.result.exit.verdict.notes)
