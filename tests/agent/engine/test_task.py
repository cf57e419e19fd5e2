"""A task answers from the record where there is one, and does the rest."""

import time

import pytest

from agent.engine.loop import loop
from agent.engine.task import MOST_ACTIONS, RESUMED, Task
from tests.agent.conftest import act, line
from tests.conftest import cut_run
from trajectories.errors import BudgetStop, Cancelled, LimitStop, RunBroken, Stuck
from trajectories.journal import Journal, read
from trajectories.records import Hold, Note, Once, Reply

RIGHT = act("edit", path="calc.py", old="a - b", new="a + b")


def plain(task):
    yield task.say("Fix it.")
    yield from loop(task)
    return task.best()


def test_loop_asks_acts_and_yields(bench):
    bench.begin(line("Look.", act("view", path="calc.py"), n=1), line("Done.", RIGHT, act("submit"), n=2))
    steps, outcome = bench.drive(plain)
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


def test_second_life_asks_nothing_and_touches_nothing(bench):
    bench.begin(line("Done.", RIGHT, act("shell", command="date +%N > stamp"), act("submit")))
    first = bench.drive(plain)
    before = (bench.directory / "journal.jsonl").read_bytes()
    assert bench.drive(plain) == first
    assert (bench.directory / "journal.jsonl").read_bytes() == before


def test_reply_without_step_is_acted_on_again_from_steps_tree(bench):
    bench.begin(
        line("One.", act("shell", command="echo 1 >> log"), n=1),
        line("Two.", act("shell", command="echo 2 >> log; cat log"), n=2),
        line("Done.", act("submit"), n=3),
    )
    steps, outcome = bench.drive(plain)
    path = bench.directory / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    cut = next(
        n for n, record in enumerate(read(bench.directory).records) if isinstance(record, Reply) and record.ask == 2
    )
    cut_run(bench.directory, b"".join(lines[: cut + 1]))

    again, resumed = bench.drive(plain)
    assert resumed == outcome
    assert again[2].observations[0].text.startswith(RESUMED)
    assert "1\n2" in again[2].observations[0].text
    assert again[:2] == steps[:2]


def test_after_step_model_is_told_once_that_run_was_resumed(bench):
    bench.begin(line("One.", act("shell", command="true"), n=1), line("Done.", RIGHT, act("submit"), n=2))
    bench.drive(plain)
    path = bench.directory / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    cut = next(
        n for n, record in enumerate(read(bench.directory).records) if isinstance(record, Hold) and record.ask == 2
    )
    cut_run(bench.directory, b"".join(lines[:cut]))
    for _ in range(2):
        bench.drive(plain)
        told = [step for step in read(bench.directory).steps["main"] if step.author == "resume"]
        assert [step.observations[0].text for step in told] == [RESUMED]


def test_once_computes_once_and_answers_for_ever(bench):
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


def test_fresh_phase_shares_workspace_and_not_conversation(bench):
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
def test_map_gives_outcomes_in_order_of_its_arguments(bench):
    bench.begin(
        line("Slow.", act("shell", command="sleep 0.5; echo slow > who"), act("submit"), branch="main/slow"),
        line("Quick.", act("shell", command="echo quick > who"), act("submit"), branch="main/quick"),
    )

    def strategy(task):
        outcomes = yield from task.map([task.attempt("slow", plain), task.attempt("quick", plain)])
        task.note("vote", " ".join(task.trees.read(outcome.tree, "who").decode().strip() for outcome in outcomes))
        yield task.adopt(outcomes[1].tree, "the quick one")
        assert task.workspace.read("who") == b"quick\n"
        return task.best()

    for _ in range(2):
        bench.drive(strategy)
        assert [note.text for note in read(bench.directory).notes] == ["slow quick"]


def test_stop_in_attempt_is_its_outcome_and_others_go_on(bench):
    bench.begin(line("Talk.", branch="main/talker"), line("Done.", RIGHT, act("submit"), branch="main/doer"))

    def strategy(task):
        outcomes = yield from task.map([task.attempt("talker", plain), task.attempt("doer", plain)])
        assert [outcome.exit for outcome in outcomes] == ["stuck", ""]
        return outcomes[1]

    first = bench.drive(strategy)
    assert bench.drive(strategy)[1] == first[1]


def test_closing_map_ends_what_its_attempts_run(bench, tmp_path):
    begun = tmp_path / "begun"
    bench.begin(
        line("Quick.", act("submit"), branch="main/quick"),
        line("Slow.", act("shell", command=f"touch {begun}; sleep 600"), branch="main/slow"),
    )

    def strategy(task):
        running = task.map([task.attempt("quick", plain), task.attempt("slow", plain)])
        yield next(running)
        while not begun.exists():
            time.sleep(0.05)
        running.close()
        return task.best()

    bench.drive(strategy)
    assert not [step for step in read(bench.directory).steps["main/slow"] if step.reply]


def test_model_that_fails_in_one_attempt_leaves_others(bench):
    bench.begin(line("Done.", RIGHT, act("submit"), branch="main/good"))

    def strategy(task):
        outcomes = yield from task.map([task.attempt("mute", plain), task.attempt("good", plain)])
        assert [outcome.exit for outcome in outcomes] == ["error", ""]
        return task.best()

    assert bench.drive(strategy)[1].tree != read(bench.directory).run.base.tree


def test_parallel_attempts_share_steps(bench):
    bench.begin(line("Look.", act("view", path="calc.py")), max_steps=2)

    def strategy(task):
        outcomes = yield from task.map([task.attempt(str(n), plain) for n in range(3)])
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
        yield from task.map([task.attempt("broken", broken), task.attempt("fine", plain)])

    with pytest.raises(ZeroDivisionError):
        bench.drive(strategy)


def test_users_message_becomes_step_at_next_ask(bench):
    bench.begin(line("Listening.", act("shell", command="true"), n=1), line("Done.", RIGHT, act("submit"), n=2))

    def strategy(task):
        yield task.say("Fix it.")
        yield task.step(reply := task.ask(), task.act(reply.actions))
        if not any(note.kind == "message" for note in task.engine.trajectory.notes):
            task.engine.journal.append(Note("main", "message", "Mind the sign."))
        yield from loop(task)
        return task.best()

    for _ in range(2):
        bench.drive(strategy)
        authors = [step.author for step in read(bench.directory).steps["main"]]
        assert authors == ["task", "coder", "user", "coder"]


def test_another_strategy_on_recorded_run_is_refused(bench):
    bench.begin(line("Done.", act("shell", command="true"), n=1), line("Done.", RIGHT, act("submit"), n=2))
    bench.drive(plain)

    def other(task):
        yield task.step(None, task.act(()), author="somebody else")

    with pytest.raises(RunBroken, match="somebody else"):
        bench.drive(other)


def test_actions_after_submit_and_too_many_are_not_run(bench):
    touch = [act("shell", command=f"touch made-{n}") for n in range(MOST_ACTIONS + 2)]
    bench.begin(
        line("Many.", *touch, n=1), line("Done.", RIGHT, act("submit"), act("shell", command="rm calc.py"), n=2)
    )
    steps, outcome = bench.drive(plain)
    assert [observation.ok for observation in steps[1].observations] == [True] * MOST_ACTIONS + [False] * 2
    assert "Not run" in steps[2].observations[2].text
    engine = bench.engine()
    assert "calc.py" in engine.trees.files(outcome.tree)
    engine.close()


def test_limits_are_raised_before_anything_is_asked(bench):
    bench.begin(line("Look.", act("view", path="calc.py")), max_steps=2)
    with pytest.raises(LimitStop, match="2 steps"):
        bench.drive(plain)
    assert len(read(bench.directory).replies) == 2

    bench.begin(line("Look.", act("view", path="calc.py")), max_tokens=10)
    with pytest.raises(BudgetStop):
        bench.drive(plain)
    assert not read(bench.directory).holds


def test_cancelled_stops_running_command(bench):
    bench.begin(line("Wait.", act("shell", command="sleep 60")))

    def strategy(task):
        yield task.say("x")
        task.engine.cancel.deadline = time.monotonic() + 0.5
        yield from loop(task)

    with pytest.raises(Cancelled):
        bench.drive(strategy)
    assert len(read(bench.directory).replies) == 1


def test_undo_brings_earlier_tree_back(bench):
    bench.begin(
        line("Wrong.", act("edit", path="calc.py", old="a - b", new="a * b"), n=1),
        line("Back.", act("undo"), n=2),
        line("Right.", RIGHT, act("submit"), n=3),
    )
    steps, _ = bench.drive(plain)
    assert steps[2].tree == steps[0].tree


def test_best_prefers_what_parses(bench):
    bench.begin(
        line("Right.", RIGHT, n=1),
        line("Broken.", act("shell", command="echo 'def (' > calc.py"), n=2),
        line("Talk."),
    )

    def strategy(task):
        try:
            yield from plain(task)
        except Stuck:
            return task.best()

    steps, outcome = bench.drive(strategy)
    assert outcome.tree == steps[1].tree != steps[2].tree


def test_workspace_is_opened_only_when_something_needs_it(bench):
    bench.begin(line("x"))

    def strategy(task):
        yield task.say("x")
        assert not task.place.opened
        return task.best()

    bench.drive(strategy)


def test_run_cannot_be_driven_twice_at_once(bench):
    from trajectories.errors import TryLater

    bench.begin(line("x"))
    journal = Journal(bench.directory)
    with pytest.raises(TryLater):
        bench.engine()
    journal.close()


def test_two_tasks_of_one_branch_share_what_is_recorded(bench):
    bench.begin(line("Done.", RIGHT, act("submit")))
    bench.drive(plain)
    engine = bench.engine()
    task = Task(engine)
    assert task.steps == []
    assert task.best().tree != engine.run.base.tree
    engine.close()
