"""Model requests: each is held before it is sent and settled afterwards, whatever its result."""

import threading
import time

import pytest

from agent.engine.branch import Branch
from agent.engine.loop import loop
from agent.limits.rate_limiter import Limiter
from agent.limits.run_budget import Price
from agent.models.base import PermissionDenied
from tests.agent.conftest import act, line
from trajectories.errors import BudgetStop, Cancelled, ModelError, Refused
from trajectories.journal import read
from trajectories.records import Action, Note, Observation, Reply, Usage


class FaultyModel:
    """A model with scripted results: raises an exception, bills a usage, or calls a function for the reply."""

    price, max_output, window, images, secrets = Price(1.0, 10.0), 100, 0, False, ()

    def __init__(self, *script, name="temperamental", fallback=""):
        self.name, self.fallback = name, fallback
        self.script = list(script)
        self.request_count = 0

    def reply(self, messages, tools, options):
        self.request_count += 1
        result = self.script.pop(0)
        if isinstance(result, Exception):
            raise result
        if callable(result):
            return result(options)
        return Reply("ok", (Action("submit"),), model=self.name, usage=result)


@pytest.fixture
def ask(bench):
    """Send one request to a model in a new run; `ask.engine` stays open for inspection."""
    bench.begin(line("unused"))
    engine = bench.engine()

    def once(model, *others):
        engine.models._models |= {one.name: one for one in (model, *others)}
        engine.models._models[engine.settings.model] = model
        return Branch(engine).ask()

    once.engine = engine
    yield once
    engine.close()


def busy(**more):
    return ModelError("Busy.", retryable=True, **more)


def test_each_retry_is_held_and_refused_ones_cost_nothing(ask):
    model = FaultyModel(busy(billed=False), busy(billed=False, wait=0), Usage(10, 5))
    assert ask(model).text == "ok"
    trajectory = ask.engine.trajectory
    assert [hold.id for hold in trajectory.holds.values()] == ["main?1.1", "main?1.2", "main?1.3"]
    assert [settle.dollars for settle in trajectory.settles.values()] == [0.0, 0.0, 0.00006]
    assert ask.engine.ledger.spent.dollars == 0.00006
    assert ask.engine.ledger.spent.calls == 3


@pytest.mark.slow
def test_cut_stream_is_charged_at_its_hold(ask):
    ask(FaultyModel(busy(billed=True), Usage(10, 5)))
    first, second = ask.engine.trajectory.holds.values()
    settle = ask.engine.trajectory.settles[first.id]
    assert (settle.source, settle.dollars) == ("none", first.dollars)
    assert second.attempt == 2


def test_reply_without_usage_is_charged_at_its_hold(ask):
    ask(FaultyModel(None))
    (hold,) = ask.engine.trajectory.holds.values()
    assert ask.engine.ledger.spent.dollars == hold.dollars


@pytest.mark.slow
def test_tries_are_bounded_and_last_error_is_raised(ask):
    model = FaultyModel(*[busy(billed=False) for _ in range(9)])
    with pytest.raises(ModelError, match="Busy"):
        ask(model)
    assert model.request_count == 5


@pytest.mark.parametrize("error", [ModelError("Wrong key.", billed=False), busy(wait=3600)])
def test_permanent_error_and_long_wait_are_not_retried(ask, error):
    model = FaultyModel(error)
    with pytest.raises(ModelError):
        ask(model)
    assert model.request_count == 1
    assert len(ask.engine.trajectory.settles) == 1


def test_usage_above_hold_is_charged_and_ends_run(ask):
    with pytest.raises(BudgetStop, match="temperamental billed"):
        ask(FaultyModel(Usage(10**6, 100)))
    assert ask.engine.trajectory.replies["main", 1].text == "ok"
    assert ask.engine.ledger.spent.dollars == pytest.approx(1.001)
    with pytest.raises(BudgetStop):
        Branch(ask.engine, "main/other").ask()


def test_hold_is_recorded_before_request_is_sent(ask):
    recorded_holds = []

    def read_holds(options):
        recorded_holds.append([hold.id for hold in read(ask.engine.journal.directory).holds.values()])
        return Reply("ok", usage=Usage(1, 1))

    ask(FaultyModel(read_holds))
    assert recorded_holds == [["main?1.1"]]


def test_output_limit_is_reduced_to_budget(bench):
    bench.begin(line("unused"), budget=0.02)
    engine = bench.engine()
    output_limits = []

    def answer(options):
        output_limits.append(options.max_output)
        return Reply("ok", usage=Usage(1, 1))

    model = FaultyModel(answer)
    model.price, model.max_output = Price(1.0, 10.0), 100_000
    engine.models._models[engine.settings.model] = model
    Branch(engine).ask()
    assert 16 < output_limits[0] < 2000
    engine.close()


def test_interrupt_does_not_wait_for_hanging_provider(ask):
    release = threading.Event()

    def hang(options):
        ask.engine.cancel.set()
        release.wait(600)
        return Reply("late")

    with pytest.raises(Cancelled):
        ask(FaultyModel(hang))
    release.set()
    (hold,) = ask.engine.trajectory.holds.values()
    assert hold.id not in ask.engine.trajectory.settles
    assert ask.engine.ledger.spent.dollars == hold.dollars


def test_bug_in_model_is_not_swallowed(ask):
    with pytest.raises(ZeroDivisionError):
        ask(FaultyModel(lambda options: 1 / 0))


@pytest.mark.parametrize(("billed", "plausible"), [(4000, True), (40, False)])
def test_later_hold_is_based_on_last_billed_usage(bench, billed, plausible):
    bench.begin(
        line("Look.", act("view", path="calc.py"), usage={"input_tokens": billed, "output_tokens": 10}, n=1), line("x")
    )

    def strategy(task):
        yield task.say("Fix it. " + "words " * 4000)
        steps = loop(task.branch)
        yield next(steps)
        yield next(steps)
        return task.best()

    bench.drive(strategy)
    first, second = read(bench.directory).holds.values()
    assert first.tokens > 24_000
    assert (second.tokens < 16_000) == plausible


@pytest.mark.parametrize(
    "reply",
    [
        Reply(5, model="odd"),
        Reply("x", (Action("view", {"path": object()}),), model="odd"),
        Reply("x", usage=Usage("many", 1), model="odd"),
    ],
)
def test_malformed_reply_is_charged_and_reported(ask, reply):
    with pytest.raises(ModelError, match="cannot be read"):
        ask(FaultyModel(lambda options: reply))
    trajectory = ask.engine.trajectory
    assert len(trajectory.settles) == len(trajectory.holds) == 1
    assert read(ask.engine.journal.directory).holds


def test_non_object_arguments_are_reported_to_model(ask):
    reply = ask(FaultyModel(lambda options: Reply("x", (Action("view", ["a.py"]),), usage=Usage(1, 1))))
    assert "must be an object, not list" in reply.actions[0].error


def test_negative_usage_is_ignored(ask):
    ask(FaultyModel(Usage(-(10**6), 0)))
    (hold,) = ask.engine.trajectory.holds.values()
    assert ask.engine.ledger.spent.dollars == hold.dollars


def test_overrun_ends_run_again_on_resume(ask):
    with pytest.raises(BudgetStop):
        ask(FaultyModel(Usage(10**6, 100)))
    with pytest.raises(BudgetStop, match="billed"):
        Branch(ask.engine).ask()


def test_fallback_answers_if_first_model_fails(ask):
    first = FaultyModel(ModelError("No.", billed=False), fallback="second")
    second = FaultyModel(Usage(10, 5), Usage(10, 5), name="second")
    reply = ask(first, second)
    assert reply.text == "ok"
    trajectory = ask.engine.trajectory
    assert [hold.model for hold in trajectory.holds.values()] == ["temperamental", "second"]
    (note,) = [note for note in trajectory.notes if note.kind == "fallback"]
    assert "temperamental failed (No.)" in note.text
    assert note.data == {"ask": 1, "from": "temperamental", "to": "second", "why": "No."}


def test_circular_fallbacks_end_with_error(ask):
    first = FaultyModel(ModelError("One."), name="one", fallback="two")
    second = FaultyModel(ModelError("Two."), name="two", fallback="one")
    with pytest.raises(ModelError, match="Two"):
        ask(first, second)
    assert (first.request_count, second.request_count) == (1, 1)


def too_long():
    return ModelError("Too long.", overflow=True, billed=False)


def test_overlong_conversation_is_shortened_and_sent_again(ask):
    lengths = []

    class LengthRecorder(FaultyModel):
        def reply(self, messages, tools, options):
            lengths.append(sum(len(str(message["content"])) for message in messages))
            return super().reply(messages, tools, options)

    model = LengthRecorder(too_long(), too_long(), Usage(10, 5))
    task_text = "x" * 30_000
    engine = ask.engine
    engine.models._models[engine.settings.model] = model
    branch = Branch(engine)
    branch.say("The issue.")
    engine.journal.append(Reply("", (Action("shell", {"command": "a"}, id="1"),), branch="main", ask=1))
    reply = branch.ask()
    branch.step(reply, (Observation(task_text),))
    assert branch.ask().text == "ok"
    assert lengths[0] > 30_000
    assert lengths[2] < lengths[1] < lengths[0]
    notes = [note for note in engine.trajectory.notes if note.kind == "overflow"]
    assert [note.data["ask"] for note in notes] == [2, 2]


def test_error_with_known_usage_is_charged_for_it(ask):
    error = ModelError("Filtered.", usage=Usage(10, 5))
    with pytest.raises(ModelError, match="Filtered"):
        ask(FaultyModel(error))
    assert ask.engine.ledger.spent.dollars == 0.00006


@pytest.mark.parametrize("hidden", ["", "\u200b"])
def test_key_in_reply_is_masked(ask, hidden):
    class Leaky(FaultyModel):
        secrets = ("a-very-secret-key",)

        def reply(self, messages, tools, options):
            key = f"{self.secrets[0][:8]}{hidden}{self.secrets[0][8:]}"
            return Reply(f"It is {key}.", (Action("shell", {"command": [f"echo {key}"]}),), usage=Usage(1, 1))

    reply = ask(Leaky())
    assert "secret" not in str(reply)
    assert reply.actions[0].arguments == {"command": ["echo [masked]"]}
    assert "a-very-secret-key" not in (ask.engine.journal.directory / "journal.jsonl").read_text()


def test_deeply_nested_arguments_are_rejected(ask):
    deep = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(ModelError, match="cannot be read"):
        ask(FaultyModel(lambda options: Reply("x", (Action("view", {"path": deep}),), model="odd")))


def test_short_key_is_not_masked(ask):
    class Local(FaultyModel):
        secrets = ("EMPTY",)

        def reply(self, messages, tools, options):
            return Reply("x = EMPTY", usage=Usage(1, 1))

    assert ask(Local()).text == "x = EMPTY"


def test_fallback_may_accept_conversation_too_long_for_first(ask):
    small = FaultyModel(*[too_long() for _ in range(9)], name="small", fallback="big")
    big = FaultyModel(Usage(10, 5), name="big")
    engine = ask.engine
    engine.models._models |= {"small": small, "big": big, engine.settings.model: small}
    branch = Branch(engine)
    branch.say("The issue. " * 1000)
    assert branch.ask().text == "ok"
    assert big.request_count == 1


def test_fork_with_other_model_uses_that_model(ask):
    """The old model is the fallback of the new one, and it answered last."""
    new, old = FaultyModel(Usage(1, 1), name="new", fallback="old"), FaultyModel(Usage(1, 1), name="old")
    engine = ask.engine
    engine.models._models |= {"new": new, "old": old, engine.settings.model: new}
    journal = engine.journal
    journal.append(Note("main", "fallback", "In an earlier process."))
    journal.append(Reply("", (Action("submit"),), model="old", branch="main", ask=1))
    journal.append(Note("main", "forked", "From there."))
    branch = Branch(engine)
    branch.step(branch.ask(), (Observation("Nothing."),))
    branch.ask()
    assert (new.request_count, old.request_count) == (1, 0)


def test_fallback_that_answered_is_used_again(ask):
    first = FaultyModel(ModelError("No."), name="one", fallback="two")
    second = FaultyModel(Usage(1, 1), Usage(1, 1), name="two")
    engine = ask.engine
    engine.models._models |= {"one": first, "two": second, engine.settings.model: first}
    branch = Branch(engine)
    branch.step(branch.ask(), (Observation("Nothing."),))
    assert branch.ask().text == "ok"
    assert (first.request_count, second.request_count) == (1, 2)


def rate_limited(**more):
    return busy(billed=False, limited=True, **more)


def test_single_run_counts_rate_limits_as_tries(ask):
    model = FaultyModel(*[rate_limited() for _ in range(9)])
    with pytest.raises(ModelError, match="Busy"):
        ask(model)
    assert model.request_count == 5


def test_batch_does_not_count_rate_limits_as_tries(ask):
    ask.engine.limiter = Limiter(0.0, patience=60.0)
    model = FaultyModel(
        *[rate_limited() for _ in range(9)], *[busy(billed=False, wait=0) for _ in range(4)], Usage(10, 5)
    )
    assert ask(model).text == "ok"
    assert model.request_count == 14
    assert ask.engine.ledger.spent.dollars == 0.00006


def test_batch_counts_other_errors_as_tries(ask):
    ask.engine.limiter = Limiter(0.0, patience=60.0)
    model = FaultyModel(rate_limited(), *[busy(billed=False, wait=0) for _ in range(9)])
    with pytest.raises(ModelError):
        ask(model)
    assert model.request_count == 6


def test_rate_limited_request_fails_after_patience(ask):
    ask.engine.limiter = Limiter(0.0, patience=20.0)
    model = FaultyModel(*[rate_limited() for _ in range(99)])
    with pytest.raises(ModelError, match="Busy") as raised:
        ask(model)
    assert raised.value.limited
    assert model.request_count == 21


def test_rate_limited_model_with_fallback_is_not_retried(ask):
    ask.engine.limiter = Limiter(0.0, patience=600.0)
    first = FaultyModel(rate_limited(wait=300.0), fallback="second")
    assert ask(first, FaultyModel(Usage(10, 5), name="second")).text == "ok"
    assert first.request_count == 1


def test_waiting_request_is_neither_held_nor_sent(ask):
    engine = ask.engine
    engine.limiter = Limiter(0.0, patience=600.0)
    first = FaultyModel(rate_limited(wait=300.0))
    threading.Timer(0.5, engine.cancel.set).start()
    with pytest.raises(Cancelled):
        ask(first)
    assert len(engine.trajectory.holds) == len(engine.trajectory.settles) == 1
    assert first.request_count == 1


def forbidden():
    return PermissionDenied("Your key is not accepted.", "Fix it.", ModelError("Not this.", billed=False))


def test_403_refuses_key_only_before_first_answer_of_model(ask):
    with pytest.raises(Refused, match="Your key"):
        ask(FaultyModel(forbidden()))
    ask(FaultyModel(Usage(10, 5)))
    engine = ask.engine
    engine.models._models[engine.settings.model] = FaultyModel(forbidden())
    with pytest.raises(ModelError, match="Not this") as raised:
        Branch(engine, "main/other").ask()
    assert not isinstance(raised.value, Refused)
    engine.models._models[engine.settings.model] = FaultyModel(forbidden(), name="another")
    with pytest.raises(Refused):
        Branch(engine, "main/third").ask()


@pytest.mark.slow
def test_wait_for_rate_limit_does_not_count_as_run_time(bench):
    bench.begin(line("unused"), max_time=3.0)
    engine = bench.engine()
    try:
        engine.limiter = Limiter(0.0, patience=60.0)
        model = FaultyModel(rate_limited(wait=3.5), Usage(10, 5))
        engine.models._models[engine.settings.model] = model
        before, began = engine.clock.seconds, time.monotonic()
        assert Branch(engine).ask().text == "ok"
        assert not engine.cancel.is_set()
        assert engine.clock.seconds - before < time.monotonic() - began - 3.0
        last = engine.clock.seconds
    finally:
        engine.close()
    again = bench.engine()
    try:
        assert again.clock.seconds < last + 1.0
        assert not again.cancel.is_set()
    finally:
        again.close()


def test_clock_pauses_once_for_several_waiting_branches(bench):
    bench.begin(line("unused"), max_time=30.0)
    engine = bench.engine()
    try:
        before, began = engine.clock.seconds, time.monotonic()
        with engine.clock.pause(), engine.clock.pause():
            time.sleep(0.3)
            assert engine.cancel.deadline is None
            paused = engine.clock.seconds
            time.sleep(0.1)
            assert engine.clock.seconds == paused, "the time advances during a pause"
        assert engine.clock.seconds >= paused
        assert engine.clock.seconds - before < time.monotonic() - began
        assert engine.clock.seconds >= before
        assert engine.cancel.deadline == engine.clock.started + 30.0
    finally:
        engine.close()
