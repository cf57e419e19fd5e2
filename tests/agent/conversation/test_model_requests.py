"""Every request on the wire is held before and settled after, whatever becomes of it."""

import threading
import time

import pytest

from agent.engine.loop import loop
from agent.engine.task import Task
from agent.limits.rate_limiter import Limiter
from agent.limits.run_budget import Price
from agent.models.base import PermissionDenied
from tests.agent.conftest import act, line
from trajectories.errors import BudgetStop, Cancelled, ModelError, Refused
from trajectories.journal import read
from trajectories.records import Action, Note, Observation, Reply, Usage


class Temperamental:
    """A model that goes through its moods: an error is raised, a usage is what a good reply was billed."""

    price, max_output, window, images, secrets = Price(1.0, 10.0), 100, 0, False, ()

    def __init__(self, *moods, name="temperamental", fallback=""):
        self.name, self.fallback = name, fallback
        self.moods = list(moods)
        self.asked = 0

    def reply(self, messages, tools, asking):
        self.asked += 1
        mood = self.moods.pop(0)
        if isinstance(mood, Exception):
            raise mood
        if callable(mood):
            return mood(asking)
        return Reply("ok", (Action("submit"),), model=self.name, usage=mood)


@pytest.fixture
def ask(bench):
    """Ask a model once in a fresh run; the engine stays open for a look."""
    bench.begin(line("unused"))
    engine = bench.engine()

    def once(model, *others):
        engine._models |= {one.name: one for one in (model, *others)}
        engine._models[engine.settings.model] = model
        return Task(engine).ask()

    once.engine = engine
    yield once
    engine.close()


def busy(**more):
    return ModelError("Busy.", retryable=True, **more)


def test_retries_are_held_each_and_refused_cost_nothing(ask):
    model = Temperamental(busy(billed=False), busy(billed=False, wait=0), Usage(10, 5))
    assert ask(model).text == "ok"
    trajectory = ask.engine.trajectory
    assert [hold.id for hold in trajectory.holds.values()] == ["main?1.1", "main?1.2", "main?1.3"]
    assert [settle.dollars for settle in trajectory.settles.values()] == [0.0, 0.0, 0.00006]
    assert ask.engine.ledger.spent.dollars == 0.00006
    assert ask.engine.ledger.spent.calls == 3


@pytest.mark.slow
def test_cut_stream_is_charged_at_its_hold(ask):
    ask(Temperamental(busy(billed=True), Usage(10, 5)))
    first, second = ask.engine.trajectory.holds.values()
    settle = ask.engine.trajectory.settles[first.id]
    assert (settle.source, settle.dollars) == ("none", first.dollars)
    assert second.attempt == 2


def test_reply_without_usage_is_charged_at_its_hold(ask):
    ask(Temperamental(None))
    (hold,) = ask.engine.trajectory.holds.values()
    assert ask.engine.ledger.spent.dollars == hold.dollars


@pytest.mark.slow
def test_tries_are_bounded_and_last_error_is_told(ask):
    model = Temperamental(*[busy(billed=False) for _ in range(9)])
    with pytest.raises(ModelError, match="Busy"):
        ask(model)
    assert model.asked == 5


@pytest.mark.parametrize("error", [ModelError("Wrong key.", billed=False), busy(wait=3600)])
def test_some_errors_are_not_tried_again(ask, error):
    model = Temperamental(error)
    with pytest.raises(ModelError):
        ask(model)
    assert model.asked == 1
    assert len(ask.engine.trajectory.settles) == 1


def test_usage_above_hold_is_charged_recorded_and_ends_run(ask):
    with pytest.raises(BudgetStop, match="temperamental billed"):
        ask(Temperamental(Usage(10**6, 100)))
    assert ask.engine.trajectory.replies["main", 1].text == "ok"
    assert ask.engine.ledger.spent.dollars == pytest.approx(1.001)
    with pytest.raises(BudgetStop):
        Task(ask.engine, "main/other").ask()


def test_hold_is_durable_before_request_leaves(ask):
    seen = []

    def look(asking):
        seen.append([hold.id for hold in read(ask.engine.journal.directory).holds.values()])
        return Reply("ok", usage=Usage(1, 1))

    ask(Temperamental(look))
    assert seen == [["main?1.1"]]


def test_output_is_cut_to_purse(bench):
    bench.begin(line("unused"), budget=0.02)
    engine = bench.engine()
    allowed = []

    def answer(asking):
        allowed.append(asking.max_output)
        return Reply("ok", usage=Usage(1, 1))

    model = Temperamental(answer)
    model.price, model.max_output = Price(1.0, 10.0), 100_000
    engine._models[engine.settings.model] = model
    Task(engine).ask()
    assert 16 < allowed[0] < 2000
    engine.close()


def test_interrupt_does_not_wait_for_provider_that_hangs(ask):
    release = threading.Event()

    def hang(asking):
        ask.engine.cancel.set()
        release.wait(600)
        return Reply("late")

    with pytest.raises(Cancelled):
        ask(Temperamental(hang))
    release.set()
    (hold,) = ask.engine.trajectory.holds.values()
    assert hold.id not in ask.engine.trajectory.settles
    assert ask.engine.ledger.spent.dollars == hold.dollars


def test_bug_in_model_is_not_swallowed(ask):
    with pytest.raises(ZeroDivisionError):
        ask(Temperamental(lambda asking: 1 / 0))


@pytest.mark.parametrize(("billed", "believed"), [(4000, True), (40, False)])
def test_later_asks_are_held_at_what_last_was_billed(bench, billed, believed):
    bench.begin(
        line("Look.", act("view", path="calc.py"), usage={"input_tokens": billed, "output_tokens": 10}, n=1), line("x")
    )

    def strategy(task):
        yield task.say("Fix it. " + "words " * 4000)
        steps = loop(task)
        yield next(steps)
        yield next(steps)
        return task.best()

    bench.drive(strategy)
    first, second = read(bench.directory).holds.values()
    assert first.tokens > 24_000
    assert (second.tokens < 16_000) == believed


@pytest.mark.parametrize(
    "reply",
    [
        Reply(5, model="odd"),
        Reply("x", (Action("view", {"path": object()}),), model="odd"),
        Reply("x", usage=Usage("many", 1), model="odd"),
    ],
)
def test_reply_that_is_none_is_paid_and_told(ask, reply):
    with pytest.raises(ModelError, match="cannot be read"):
        ask(Temperamental(lambda asking: reply))
    trajectory = ask.engine.trajectory
    assert len(trajectory.settles) == len(trajectory.holds) == 1
    assert read(ask.engine.journal.directory).holds


def test_arguments_that_are_no_object_are_told_to_model(ask):
    reply = ask(Temperamental(lambda asking: Reply("x", (Action("view", ["a.py"]),), usage=Usage(1, 1))))
    assert "must be an object, not list" in reply.actions[0].error


def test_usage_below_nothing_is_no_usage(ask):
    ask(Temperamental(Usage(-(10**6), 0)))
    (hold,) = ask.engine.trajectory.holds.values()
    assert ask.engine.ledger.spent.dollars == hold.dollars


def test_overrun_ends_run_on_resume_as_it_did_before(ask):
    with pytest.raises(BudgetStop):
        ask(Temperamental(Usage(10**6, 100)))
    with pytest.raises(BudgetStop, match="billed"):
        Task(ask.engine).ask()


def test_fallback_answers_where_first_fails_and_is_asked_first_from_then_on(ask):
    first = Temperamental(ModelError("No.", billed=False), fallback="second")
    second = Temperamental(Usage(10, 5), Usage(10, 5), name="second")
    reply = ask(first, second)
    assert reply.text == "ok"
    trajectory = ask.engine.trajectory
    assert [hold.model for hold in trajectory.holds.values()] == ["temperamental", "second"]
    (note,) = [note for note in trajectory.notes if note.kind == "fallback"]
    assert "temperamental failed (No.)" in note.text


def test_fallbacks_that_name_each_other_end(ask):
    first = Temperamental(ModelError("One."), name="one", fallback="two")
    second = Temperamental(ModelError("Two."), name="two", fallback="one")
    with pytest.raises(ModelError, match="Two"):
        ask(first, second)
    assert (first.asked, second.asked) == (1, 1)


def too_long():
    return ModelError("Too long.", overflow=True, billed=False)


def test_conversation_that_is_too_long_is_sent_shorter(ask):
    lengths = []

    class Reading(Temperamental):
        def reply(self, messages, tools, asking):
            lengths.append(sum(len(str(message["content"])) for message in messages))
            return super().reply(messages, tools, asking)

    model = Reading(too_long(), too_long(), Usage(10, 5))
    task_text = "x" * 30_000
    engine = ask.engine
    engine._models[engine.settings.model] = model
    task = Task(engine)
    task.say("The issue.")
    engine.journal.append(Reply("", (Action("shell", {"command": "a"}, id="1"),), branch="main", ask=1))
    reply = task.ask()
    task.step(reply, (Observation(task_text),))
    assert task.ask().text == "ok"
    assert lengths[0] > 30_000
    assert lengths[2] < lengths[1] < lengths[0]
    notes = [note for note in engine.trajectory.notes if note.kind == "overflow"]
    assert [note.data["ask"] for note in notes] == [2, 2]


def test_error_with_known_usage_is_charged_at_that(ask):
    error = ModelError("Filtered.", usage=Usage(10, 5))
    with pytest.raises(ModelError, match="Filtered"):
        ask(Temperamental(error))
    assert ask.engine.ledger.spent.dollars == 0.00006


def test_key_in_reply_is_masked(ask):
    class Leaky(Temperamental):
        secrets = ("a-very-secret-key",)

        def reply(self, messages, tools, asking):
            key = self.secrets[0]
            return Reply(f"It is {key}.", (Action("shell", {"command": [f"echo {key}"]}),), usage=Usage(1, 1))

    reply = ask(Leaky())
    assert "secret" not in str(reply)
    assert reply.actions[0].arguments == {"command": ["echo [masked]"]}
    assert "a-very-secret-key" not in (ask.engine.journal.directory / "journal.jsonl").read_text()


def test_arguments_nested_beyond_reason_are_no_reply(ask):
    deep = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(ModelError, match="cannot be read"):
        ask(Temperamental(lambda asking: Reply("x", (Action("view", {"path": deep}),), model="odd")))


def test_short_key_is_left_in_text(ask):
    class Local(Temperamental):
        secrets = ("EMPTY",)

        def reply(self, messages, tools, asking):
            return Reply("x = EMPTY", usage=Usage(1, 1))

    assert ask(Local()).text == "x = EMPTY"


def test_what_one_model_finds_too_long_another_may_take(ask):
    small = Temperamental(*[too_long() for _ in range(9)], name="small", fallback="big")
    big = Temperamental(Usage(10, 5), name="big")
    engine = ask.engine
    engine._models |= {"small": small, "big": big, engine.settings.model: small}
    task = Task(engine)
    task.say("The issue. " * 1000)
    assert task.ask().text == "ok"
    assert big.asked == 1


def test_fork_to_another_model_asks_that_one(ask):
    """Although the old one is its fallback, and answered last."""
    new, old = Temperamental(Usage(1, 1), name="new", fallback="old"), Temperamental(Usage(1, 1), name="old")
    engine = ask.engine
    engine._models |= {"new": new, "old": old, engine.settings.model: new}
    journal = engine.journal
    journal.append(Note("main", "fallback", "In its first life."))
    journal.append(Reply("", (Action("submit"),), model="old", branch="main", ask=1))
    journal.append(Note("main", "forked", "From there."))
    task = Task(engine)
    task.step(task.ask(), (Observation("Nothing."),))
    task.ask()
    assert (new.asked, old.asked) == (1, 0)


def test_fallback_that_answered_is_asked_again(ask):
    first = Temperamental(ModelError("No."), name="one", fallback="two")
    second = Temperamental(Usage(1, 1), Usage(1, 1), name="two")
    engine = ask.engine
    engine._models |= {"one": first, "two": second, engine.settings.model: first}
    task = Task(engine)
    task.step(task.ask(), (Observation("Nothing."),))
    assert task.ask().text == "ok"
    assert (first.asked, second.asked) == (1, 2)


def limited(**more):
    return busy(billed=False, limited=True, **more)


def test_refusals_as_one_too_many_are_tries_of_run_on_its_own(ask):
    model = Temperamental(*[limited() for _ in range(9)])
    with pytest.raises(ModelError, match="Busy"):
        ask(model)
    assert model.asked == 5


def test_refusals_as_one_too_many_are_no_tries_in_batch(ask):
    ask.engine.limiter = Limiter(0.0, patience=60.0)
    model = Temperamental(*[limited() for _ in range(9)], *[busy(billed=False, wait=0) for _ in range(4)], Usage(10, 5))
    assert ask(model).text == "ok"
    assert model.asked == 14
    assert ask.engine.ledger.spent.dollars == 0.00006


def test_other_errors_are_tries_in_batch_too(ask):
    ask.engine.limiter = Limiter(0.0, patience=60.0)
    model = Temperamental(limited(), *[busy(billed=False, wait=0) for _ in range(9)])
    with pytest.raises(ModelError):
        ask(model)
    assert model.asked == 6


def test_provider_that_never_takes_this_request_is_left_after_while(ask):
    ask.engine.limiter = Limiter(0.0, patience=20.0)
    model = Temperamental(*[limited() for _ in range(99)])
    with pytest.raises(ModelError, match="Busy") as raised:
        ask(model)
    assert raised.value.limited
    assert model.asked == 21


def test_who_has_fallback_needs_no_patience(ask):
    ask.engine.limiter = Limiter(0.0, patience=600.0)
    first = Temperamental(limited(wait=300.0), fallback="second")
    assert ask(first, Temperamental(Usage(10, 5), name="second")).text == "ok"
    assert first.asked == 1


def test_request_that_waits_for_its_turn_is_neither_held_nor_sent(ask):
    engine = ask.engine
    engine.limiter = Limiter(0.0, patience=600.0)
    first = Temperamental(limited(wait=300.0))
    threading.Timer(0.5, engine.cancel.set).start()
    with pytest.raises(Cancelled):
        ask(first)
    assert len(engine.trajectory.holds) == len(engine.trajectory.settles) == 1
    assert first.asked == 1


def forbidden():
    return PermissionDenied("Your key is not taken.", "Mend it.", ModelError("Not this.", billed=False))


def test_403_is_of_key_until_model_has_answered_and_of_request_from_then_on(ask):
    with pytest.raises(Refused, match="Your key"):
        ask(Temperamental(forbidden()))
    ask(Temperamental(Usage(10, 5)))
    engine = ask.engine
    engine._models[engine.settings.model] = Temperamental(forbidden())
    with pytest.raises(ModelError, match="Not this") as raised:
        Task(engine, "main/other").ask()
    assert not isinstance(raised.value, Refused)
    engine._models[engine.settings.model] = Temperamental(forbidden(), name="another")
    with pytest.raises(Refused):
        Task(engine, "main/third").ask()


@pytest.mark.slow
def test_pause_takes_nothing_of_runs_time(bench):
    bench.begin(line("unused"), max_time=3.0)
    engine = bench.engine()
    try:
        engine.limiter = Limiter(0.0, patience=60.0)
        model = Temperamental(limited(wait=3.5), Usage(10, 5))
        engine._models[engine.settings.model] = model
        before, began = engine.seconds, time.monotonic()
        assert Task(engine).ask().text == "ok"
        assert not engine.cancel.is_set()
        assert engine.seconds - before < time.monotonic() - began - 3.0
        last = engine.seconds
    finally:
        engine.close()
    again = bench.engine()
    try:
        assert again.seconds < last + 1.0
        assert not again.cancel.is_set()
    finally:
        again.close()


def test_time_stands_still_once_however_many_branches_wait(bench):
    bench.begin(line("unused"), max_time=30.0)
    engine = bench.engine()
    try:
        before, began = engine.seconds, time.monotonic()
        with engine.standing_still(), engine.standing_still():
            time.sleep(0.3)
            assert engine.cancel.deadline is None
            stood = engine.seconds
            time.sleep(0.1)
            assert engine.seconds == stood, "what is shown meanwhile stands, too, so it need not go back"
        assert engine.seconds >= stood
        assert engine.seconds - before < time.monotonic() - began
        assert engine.seconds >= before
        assert engine.cancel.deadline == engine.started + 30.0
    finally:
        engine.close()
