"""Tasks replay recorded results and then do the remaining work."""

import time

import pytest

from agent.engine.branch import MOST_ACTIONS, RESUMED, Branch
from agent.engine.loop import loop
from agent.engine.task import Task
from tests.agent.conftest import act, line
from tests.conftest import cut_run
from trajectories.errors import BudgetStop, Cancelled, LimitStop, RunBroken, Stuck
from trajectories.journal import Journal, read
from trajectories.records import Hold, Note, Once, Reply

RIGHT = act("edit", path="calc.py", old="a - b", new="a + b")


def plain_strategy(task):
    yield task.say("Fix it.")
    yield from loop(task.branch)
    return task.best()


def test_loop_yields_one_step_per_reply(bench):
    bench.begin(line("Look.", act("view", path="calc.py"), n=1), line("Done.", RIGHT, act("submit"), n=2))
    steps, outcome = bench.drive(plain_strategy)
    assert [(step.author, step.reply, len(step.observations)) for step in steps] == [
        ("task", None, 1),
        ("coder", 1, 1),
        ("coder", 2, 2),
    ]
    assert "return a - b" in steps[1].observations[0].text
    assert steps[1].tree == steps[0].tree != steps[2].tree == outcome.tree
    assert steps[2].parent == steps[1].id == "main#2"
    engine = bench.engine()
    assert engine.trees.read(outcome.tree, "calc.py") == b"def add(a, b):\n    return a + b\n"
    engine.close()


def test_replayed_run_requests_and_changes_nothing(bench):
    bench.begin(line("Done.", RIGHT, act("shell", command="date +%N > stamp"), act("submit")))
    first = bench.drive(plain_strategy)
    before = (bench.directory / "journal.jsonl").read_bytes()
    assert bench.drive(plain_strategy) == first
    assert (bench.directory / "journal.jsonl").read_bytes() == before


@pytest.mark.slow
def test_actions_of_unfinished_step_run_again_from_its_tree(bench):
    bench.begin(
        line("One.", act("shell", command="echo 1 >> log"), n=1),
        line("Two.", act("shell", command="echo 2 >> log; cat log"), n=2),
        line("Done.", act("submit"), n=3),
    )
    steps, outcome = bench.drive(plain_strategy)
    path = bench.directory / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    cut = next(
        n for n, record in enumerate(read(bench.directory).records) if isinstance(record, Reply) and record.ask == 2
    )
    cut_run(bench.directory, b"".join(lines[: cut + 1]))

    again, resumed = bench.drive(plain_strategy)
    assert resumed == outcome
    assert again[2].observations[0].text.startswith(RESUMED)
    assert "1\n2" in again[2].observations[0].text
    assert again[:2] == steps[:2]


@pytest.mark.slow
def test_model_is_informed_once_of_resume_after_step(bench):
    bench.begin(line("One.", act("shell", command="true"), n=1), line("Done.", RIGHT, act("submit"), n=2))
    bench.drive(plain_strategy)
    path = bench.directory / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    cut = next(
        n for n, record in enumerate(read(bench.directory).records) if isinstance(record, Hold) and record.ask == 2
    )
    cut_run(bench.directory, b"".join(lines[:cut]))
    for _ in range(2):
        bench.drive(plain_strategy)
        resume_steps = [step for step in read(bench.directory).steps["main"] if step.author == "resume"]
        assert [step.observations[0].text for step in resume_steps] == [RESUMED]


def test_once_computes_value_only_once(bench):
    bench.begin(line("x"))
    calls = []

    def strategy(task):
        value = task.once("choice", lambda: calls.append(1) or {"picked": len(calls)})
        task.note("vote", f"for {value['picked']}")
        yield task.say("x")
        return task.best()

    bench.drive(strategy)
    bench.drive(strategy)
    trajectory = read(bench.directory)
    assert calls == [1]
    assert [(note.kind, note.text) for note in trajectory.notes] == [("vote", "for 1")]
    assert [record.value for record in trajectory.records if isinstance(record, Once)] == [{"picked": 1}]


def test_fresh_phase_shares_workspace_but_not_conversation(bench):
    bench.begin(
        line("Draft.", act("shell", command="echo draft > draft.txt"), act("submit"), branch="main"),
        line("Seen.", act("shell", command="cat draft.txt; echo seen > seen.txt"), act("submit"), branch="main/review"),
    )

    def strategy(task):
        yield from task.phase("write", "Write.")
        last = yield from task.phase("review", "Review.", fresh=True)
        assert last.observations[0].text.strip() == "draft"
        return task.best()

    steps, outcome = bench.drive(strategy)
    assert [step.branch for step in steps] == ["main", "main", "main/review", "main/review"]
    engine = bench.engine()
    assert {"draft.txt", "seen.txt"} <= engine.trees.files(outcome.tree).keys()
    engine.close()
    assert bench.drive(strategy) == (steps, outcome)


@pytest.mark.slow
def test_map_returns_outcomes_in_argument_order(bench):
    bench.begin(
        line("Slow.", act("shell", command="sleep 0.5; echo slow > who"), act("submit"), branch="main/slow"),
        line("Quick.", act("shell", command="echo quick > who"), act("submit"), branch="main/quick"),
    )

    def strategy(task):
        outcomes = yield from task.map([task.attempt("slow", plain_strategy), task.attempt("quick", plain_strategy)])
        task.note("vote", " ".join(task.trees.read(outcome.tree, "who").decode().strip() for outcome in outcomes))
        yield task.adopt(outcomes[1].tree, "the quick one")
        assert task.workspace.read("who") == b"quick\n"
        return task.best()

    for _ in range(2):
        bench.drive(strategy)
        assert [note.text for note in read(bench.directory).notes] == ["slow quick"]


def test_stuck_attempt_does_not_stop_others(bench):
    bench.begin(line("Talk.", branch="main/talker"), line("Done.", RIGHT, act("submit"), branch="main/doer"))

    def strategy(task):
        outcomes = yield from task.map([task.attempt("talker", plain_strategy), task.attempt("doer", plain_strategy)])
        assert [outcome.exit for outcome in outcomes] == ["stuck", ""]
        return outcomes[1]

    first = bench.drive(strategy)
    assert bench.drive(strategy)[1] == first[1]


def test_closing_map_ends_commands_of_its_attempts(bench, tmp_path):
    started = tmp_path / "started"
    bench.begin(
        line("Quick.", act("submit"), branch="main/quick"),
        line("Slow.", act("shell", command=f"touch {started}; sleep 600"), branch="main/slow"),
    )

    def strategy(task):
        running = task.map([task.attempt("quick", plain_strategy), task.attempt("slow", plain_strategy)])
        yield next(running)
        while not started.exists():
            time.sleep(0.05)
        running.close()
        return task.best()

    bench.drive(strategy)
    assert not [step for step in read(bench.directory).steps["main/slow"] if step.reply]


def test_model_error_in_one_attempt_does_not_stop_others(bench):
    bench.begin(line("Done.", RIGHT, act("submit"), branch="main/good"))

    def strategy(task):
        outcomes = yield from task.map([task.attempt("mute", plain_strategy), task.attempt("good", plain_strategy)])
        assert [outcome.exit for outcome in outcomes] == ["error", ""]
        return task.best()

    assert bench.drive(strategy)[1].tree != read(bench.directory).run.base.tree


def test_parallel_attempts_share_step_limit(bench):
    bench.begin(line("Look.", act("view", path="calc.py")), max_steps=2)

    def strategy(task):
        outcomes = yield from task.map([task.attempt(str(n), plain_strategy) for n in range(3)])
        assert {outcome.exit for outcome in outcomes} == {"limit"}
        return task.best()

    bench.drive(strategy)
    assert len(read(bench.directory).replies) == 2


def test_failure_in_attempt_fails_run(bench):
    bench.begin(line("x", act("submit")))

    def broken(task):
        yield task.say("x")
        raise ZeroDivisionError("in the strategy")

    def strategy(task):
        yield from task.map([task.attempt("broken", broken), task.attempt("fine", plain_strategy)])

    with pytest.raises(ZeroDivisionError):
        bench.drive(strategy)


def test_users_message_becomes_step_before_next_request(bench):
    bench.begin(line("Listening.", act("shell", command="true"), n=1), line("Done.", RIGHT, act("submit"), n=2))

    def strategy(task):
        yield task.say("Fix it.")
        yield task.step(reply := task.ask(), task.act(reply.actions))
        if not any(note.kind == "message" for note in task.branch.engine.trajectory.notes):
            task.branch.engine.journal.append(Note("main", "message", "Mind the sign."))
        yield from loop(task.branch)
        return task.best()

    for _ in range(2):
        bench.drive(strategy)
        authors = [step.author for step in read(bench.directory).steps["main"]]
        assert authors == ["task", "coder", "user", "coder"]


def test_another_strategy_on_recorded_run_is_refused(bench):
    bench.begin(line("Done.", act("shell", command="true"), n=1), line("Done.", RIGHT, act("submit"), n=2))
    bench.drive(plain_strategy)

    def other(task):
        yield task.step(None, task.act(()), author="another author")

    with pytest.raises(RunBroken, match="another author"):
        bench.drive(other)


@pytest.mark.slow
def test_surplus_actions_and_actions_after_submit_are_not_run(bench):
    touch = [act("shell", command=f"touch made-{n}") for n in range(MOST_ACTIONS + 2)]
    bench.begin(
        line("Many.", *touch, n=1), line("Done.", RIGHT, act("submit"), act("shell", command="rm calc.py"), n=2)
    )
    steps, outcome = bench.drive(plain_strategy)
    assert [observation.ok for observation in steps[1].observations] == [True] * MOST_ACTIONS + [False] * 2
    assert "Not run" in steps[2].observations[2].text
    engine = bench.engine()
    assert "calc.py" in engine.trees.files(outcome.tree)
    engine.close()


def test_limits_are_checked_before_each_request(bench):
    bench.begin(line("Look.", act("view", path="calc.py")), max_steps=2)
    with pytest.raises(LimitStop, match="2 steps"):
        bench.drive(plain_strategy)
    assert len(read(bench.directory).replies) == 2

    bench.begin(line("Look.", act("view", path="calc.py")), max_tokens=10)
    with pytest.raises(BudgetStop):
        bench.drive(plain_strategy)
    assert not read(bench.directory).holds


def test_cancellation_stops_running_command(bench):
    bench.begin(line("Wait.", act("shell", command="sleep 60")))

    def strategy(task):
        yield task.say("x")
        task.branch.engine.cancel.deadline = time.monotonic() + 0.5
        yield from loop(task.branch)

    with pytest.raises(Cancelled):
        bench.drive(strategy)
    assert len(read(bench.directory).replies) == 1


@pytest.mark.slow
def test_undo_restores_earlier_tree(bench):
    bench.begin(
        line("Wrong.", act("edit", path="calc.py", old="a - b", new="a * b"), n=1),
        line("Back.", act("undo"), n=2),
        line("Right.", RIGHT, act("submit"), n=3),
    )
    steps, _ = bench.drive(plain_strategy)
    assert steps[2].tree == steps[0].tree


@pytest.mark.slow
def test_best_prefers_tree_that_parses(bench):
    bench.begin(
        line("Right.", RIGHT, n=1),
        line("Broken.", act("shell", command="echo 'def (' > calc.py"), n=2),
        line("Talk."),
    )

    def strategy(task):
        try:
            yield from plain_strategy(task)
        except Stuck:
            return task.best()

    steps, outcome = bench.drive(strategy)
    assert outcome.tree == steps[1].tree != steps[2].tree


def test_workspace_is_opened_only_when_needed(bench):
    bench.begin(line("x"))

    def strategy(task):
        yield task.say("x")
        assert not task.branch.place.opened
        return task.best()

    bench.drive(strategy)


def test_run_cannot_be_opened_twice_at_once(bench):
    from trajectories.errors import TryLater

    bench.begin(line("x"))
    journal = Journal(bench.directory)
    with pytest.raises(TryLater):
        bench.engine()
    journal.close()


def test_new_task_of_branch_finds_recorded_best_tree(bench):
    bench.begin(line("Done.", RIGHT, act("submit")))
    bench.drive(plain_strategy)
    engine = bench.engine()
    task = Task(Branch(engine))
    assert task.branch.steps == []
    assert task.best().tree != engine.run.base.tree
    engine.close()
