"""A session: turns of one run, what waits, what is interrupted and gone on with, and how it ends."""

import json
from threading import Event as Flag

import pytest

from agent.config.settings import NOWHERE, Settings
from agent.run_state.run_ownership import register
from agent.session import session_events
from agent.session.session_start import session_settings
from tests.agent.session.scripted_session import PATIENCE, calls, says
from trajectories.journal import read
from trajectories.records import Note

LOOK = calls("view", path="a.py")
SLEEP = calls("shell", command="sleep 300", timeout=600)
NEW = calls("edit", path="b.py", old="", new="def g():\n    return 2\n")


def at_work(talk, action=""):
    """Wait until an action is under way."""
    flag = Flag()

    def look(event):
        if (
            isinstance(event, session_events.ProgressReported)
            and event.happening.kind == "action"
            and action in event.happening.text
        ):
            flag.set()

    talk.hooks.append(look)
    return flag


def test_session_delivers_nothing_by_itself():
    settings = session_settings(Settings(apply=True, branch="mine", pr=True))
    assert {name: getattr(settings, name) for name in NOWHERE} == NOWHERE


def test_session_is_one_run_of_turns(talk):
    talk = talk([says("Look.", LOOK, n=1), says("f returns 1.", n=2), says("g is 2.", n=3)], mode="plan")
    talk.say("What does f do?").say("And g?")
    assert talk.words == ["f returns 1.", "g is 2."]
    assert len(talk.all(session_events.RunOpened)) == 1
    assert [turn.strategy for turn in talk.session.engine.trajectory.turns] == ["plan", "plan"]
    assert talk.session.state == "idle"


def test_what_is_said_while_it_works_waits_and_can_be_taken_back(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")])
    working = at_work(talk)
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.say("one")
    talk.session.say("two\nlines")
    assert talk.session.status.queued == ("one", "two\nlines")
    assert talk.session.unqueue() == "two\nlines"
    assert talk.session.unqueue() == "one"
    assert talk.session.unqueue() == ""
    talk.session.interrupt()
    assert talk.until(session_events.TurnStopped).error.code == 130


def test_changes_are_shown_as_they_are_after_those_asked_for_before(talk):
    talk = talk([says("Done.", calls("shell", command="echo new > new.txt"))])
    talk.say("Begin")
    talk.say("/undo")
    last, gate = len(talk.told), Flag()
    talk.session.later("", lambda: gate.wait(PATIENCE))
    for words in ("/redo", "/diff", "/mode plan"):
        talk.session.say(words)
    assert talk.session.queued == ("/redo", "/diff"), "a look at something else need not wait"
    gate.set()
    talk.settled()
    told = talk.told[last:]
    assert [text.splitlines()[-1] for text in told if "+new" in text] == ["+new"], told


def test_interrupt_keeps_what_waits_until_there_is_more_to_say(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")], mode="plan")
    working = at_work(talk)
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.say("later")
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    talk.settled()
    assert talk.session.state == "paused"
    assert talk.session.queued == ("later",)
    talk.say("Not so")
    talk.settled()
    assert talk.session.queued == ()
    turns = talk.session.engine.trajectory.turns
    assert [turn.request for turn in turns[1:]] == ["later"]
    assert [note.text for note in talk.session.engine.trajectory.notes if note.kind == "message"] == ["Not so"]


def kept_back(talk, *words, script=None, **start):
    """A turn of one action that was interrupted, while words waited."""
    talk = talk(script or [says("Wait.", SLEEP, n=1), says("Done.")], **({"mode": "plan"} | start))
    working = at_work(talk)
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    for each in words:
        talk.session.say(each)
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    return talk.settled()


@pytest.mark.parametrize("command", ["/diff", "/permissions", "/model", "!echo hi"])
def test_command_does_not_set_off_what_waits(talk, command):
    talk = kept_back(talk, "later").say(command).settled()
    assert talk.session.queued == ("later",)
    assert "later" not in [turn.request for turn in talk.session.engine.trajectory.turns]


def test_what_waits_comes_when_there_is_nothing_else_to_go_on_with(talk):
    talk = kept_back(talk, "later").say("!echo hi")
    talk.session.go_on()
    talk.settled().settled()
    assert [turn.request for turn in talk.session.engine.trajectory.turns[1:]] == ["!echo hi", "later"]
    assert talk.session.queued == ()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["/new", "/fork", "/resume {}"])
def test_what_waits_is_not_done_in_another_run(talk, change):
    look = [says("Look.", LOOK, n=1), says("Wait.", SLEEP, n=2), says("Done.")]
    other = talk([says("Yes.")], mode="plan").say("Hi")
    run, root = other.session.engine.journal.directory, other.session.start.source.root
    other.session.close()
    talk = talk(look, root=root, mode="plan", settings={"state": run.parents[1]})
    working = at_work(talk, "sleep")
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.say("change f")
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    talk.settled().say(change.format(run.name))
    assert "Discarded from the queue of the other run: “change f”. Send it again if you want it here." in talk.told
    assert talk.session.queued == ()
    assert not talk.session.release()


def taken_up(talk, first):
    run, root = first.session.engine.journal.directory, first.session.start.source.root
    first.session.close()
    return talk([says("Done.")], root=root, run=run, settings={"state": run.parents[1]}).settled()


def test_run_that_is_taken_up_is_in_its_mode_whatever_was_done_by_hand(talk):
    later = taken_up(talk, talk([says("Yes.")], mode="plan").say("Hi").say("!echo hi").say("/undo"))
    assert later.session.mode == "plan"
    assert later.session.turning.strategy() == "plan"


def test_run_that_is_taken_up_has_strategy_that_was_chosen(talk):
    done = says("Done.", calls("submit", summary="Done."))
    later = taken_up(talk, talk([done]).say("/strategy react").say("Hi").say("!echo hi"))
    assert later.session.turning.strategy() == "react"


@pytest.mark.slow
def test_run_without_model_is_taken_up_with_one_there_is_now(talk):
    later = taken_up(talk, talk([]).say("f returns 2").say("!echo hi"))
    assert (later.session.mode, later.session.strategy) == ("build", "")


def test_what_was_done_by_hand_and_cut_off_is_not_done_again(talk):
    first = talk([says("Yes.")], mode="plan").say("Hi").say("!echo once >> told.txt")
    run = first.session.engine.journal.directory
    root = first.session.start.source.root
    first.session.close()
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if json.loads(line).get("author") == "hand")
    journal.write_text("".join(lines[:end]))  # as kill -9 leaves it
    register(run, run.parents[1])
    second = talk([says("Done.")], root=root, run=run, settings={"state": run.parents[1]}).settled()
    assert second.session.state == "idle"
    assert second.session.engine.trajectory.exit.kind == "interrupted"
    assert "The last command was interrupted and is not repeated." in second.told
    second.session.go_on()
    second.settled()
    assert not second.all(session_events.TurnStarted)


@pytest.mark.parametrize("by_hand", ["!sleep 300", "/test"])
def test_words_to_turn_that_asks_no_model_wait(talk, by_hand):
    talk = talk([says("Yes."), says("Heard.", contains="use tabs")], mode="plan").say("Hi")
    told = []
    talk.hooks.append(
        lambda event: (
            isinstance(event, session_events.ProgressReported)
            and event.happening.kind == "action"
            and not told
            and told.append(talk.session.steer("use tabs"))
        )
    )
    working = at_work(talk)
    talk.session.say(by_hand)
    assert working.wait(PATIENCE)
    talk.session.interrupt()
    talk.settled()
    assert told == [False]
    assert not [note for note in talk.session.engine.trajectory.notes if note.kind == "message"]
    said = [turn.request for turn in talk.session.engine.trajectory.turns]
    assert "use tabs" in (*talk.session.queued, *said)


def test_going_on_as_it_was(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")])
    working = at_work(talk)
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    working.clear()
    talk.session.go_on()
    assert working.wait(PATIENCE)  # the action that was interrupted is done anew
    talk.session.interrupt()
    talk.until(session_events.TurnStopped, 2)
    assert len(talk.session.engine.trajectory.turns) == 1


def test_going_on_tells_no_step_again(talk):
    talk = talk([says("Look.", LOOK, n=1), says("Wait.", SLEEP, n=2), says("Done.")], mode="plan")
    working = at_work(talk, "sleep")
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    talk.say("Not so")
    told = [event.step.id for event in talk.all(session_events.StepRecorded)]
    assert len(told) == len(set(told))
    assert talk.words == ["Done."]


@pytest.mark.parametrize("change", ["/mode plan", "/strategy react"])
def test_change_leaves_interrupted_turn_behind(talk, change):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.", calls("submit", summary="Done."))])
    working = at_work(talk)
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    talk.say(change).say("Anew")
    assert [turn.request for turn in talk.session.engine.trajectory.turns[1:]] == ["Anew"]


def test_budget_holds_for_turn_that_was_interrupted_too(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")], mode="plan")
    working = at_work(talk, "sleep")
    talk.session.say("Begin")
    assert working.wait(PATIENCE)
    talk.session.interrupt()
    talk.until(session_events.TurnStopped)
    talk.say("/cost 7").say("Not so")
    assert len(talk.session.engine.trajectory.turns) == 1
    assert talk.words == ["Done."]
    talk.say("Once more")
    assert talk.session.engine.settings.budget == 7


@pytest.mark.parametrize("amount", ["0", "5"])
def test_budget_holds_for_turn_under_way(talk, amount):
    table = {"scripted": {"price_in": 1.0, "price_out": 1.0, "max_output": 1000}}
    talk = talk([says("Look.", LOOK, n=1), says("Done.")], mode="plan", settings={"models": table})
    talk.hooks.append(
        lambda event: isinstance(event, session_events.StepRecorded) and talk.session.say(f"/cost {amount}")
    )
    talk.say("Begin")
    kind = talk.all(session_events.TurnEnded)[-1].result.exit.kind
    assert kind == ("budget" if amount == "0" else "answered")


def test_words_steer_at_next_step(talk):
    talk = talk([says("Look.", LOOK, n=1), says("As you say.", contains="use tabs"), says("Unheard.")], mode="plan")

    def steer(event):
        if isinstance(event, session_events.StepRecorded) and event.step.reply == 1:
            talk.session.steer("use tabs")

    talk.hooks.append(steer)
    talk.say("Begin")
    assert talk.words == ["As you say."]


def test_steering_when_nothing_works_is_request(talk):
    talk = talk([says("Hello.")], mode="plan")
    talk.session.steer("Hi")
    talk.settled()
    assert talk.words == ["Hello."]


def test_key_that_was_pasted_goes_no_further(talk, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "hunter2-hunter2-hunter2")
    talk = talk([says("Look.", LOOK, n=1), says("Yes.")], mode="plan")
    talk.hooks.append(
        lambda event: (
            isinstance(event, session_events.StepRecorded)
            and event.step.reply == 1
            and talk.session.steer("b hunter2-hunter2-hunter2")
        )
    )
    talk.say("a hunter2-hunter2-hunter2").say("c hunter2-hunter2-hunter2")
    assert len(talk.words) == 2
    journal = (talk.session.engine.journal.directory / "journal.jsonl").read_text()
    assert "hunter2" not in journal


def test_what_fails_does_not_end_session(talk):
    talk = talk([says("Yes.")], mode="plan", settings={"model": "scripted:/nowhere"})
    talk.say("Do it")
    assert any("/nowhere cannot be read" in text for text in talk.told)
    talk.session.later("x", lambda: 1 / 0)
    talk.settled()
    assert "swe-agent has a bug" in talk.told[-1]
    assert talk.session.state == "idle"
    talk.say("/help")
    assert "/mode" in talk.told[-1]


def test_unknown_command_and_path(talk):
    talk = talk([says("It is a path.")], mode="plan")
    talk.say("/nope")
    assert talk.told[-1] == "There is no command /nope. `/help` lists them."
    talk.say("/etc/hosts is broken")
    assert talk.words == ["It is a path."]


def test_closing_stops_what_is_under_way_and_run_can_be_taken_up(talk, tmp_path):
    first = talk([says("Wait.", SLEEP, n=1), says("Done.")])
    working = at_work(first)
    first.session.say("Begin")
    assert working.wait(PATIENCE)
    first.session.say("never done")
    run = first.session.engine.journal.directory
    first.session.close()
    assert isinstance(first.heard[-1], session_events.SessionClosed)
    assert read(run).exit is None
    second = talk([says("Done.")], root=first.session.start.source.root, run=run, settings={"state": run.parents[1]})
    second.settled()
    assert second.session.state == "paused"
    assert [event.trajectory.run.id for event in second.all(session_events.RunOpened)] == [run.name]


def test_run_of_another_repository_is_not_taken_up(talk, make_repo):
    first = talk([says("Yes.")], mode="plan").say("Hi")
    run = first.session.engine.journal.directory
    first.session.close()
    second = talk([], root=make_repo({"x": ""}), run=run, settings={"state": run.parents[1]})
    second.settled()
    assert "not to this repository" in second.told[-1]
    assert second.session.engine is None


def test_run_that_another_session_has(talk):
    first = talk([says("Yes.")], mode="plan").say("Hi")
    run = first.session.engine.journal.directory
    second = talk([], root=first.session.start.source.root, run=run, settings={"state": run.parents[1]})
    second.settled()
    assert "Another process" in second.told[-1]


def test_closing_before_anything_was_said(talk):
    talk = talk([])
    talk.session.close()
    assert isinstance(talk.heard[-1], session_events.SessionClosed)


def test_notes_of_user_do_not_meet_closed_run(talk):
    talk = talk([says("Yes.")], mode="plan").say("Hi")
    assert not talk.session.turning.steer("late")  # the turn has ended
    assert not [note for note in talk.session.engine.trajectory.notes if isinstance(note, Note) and note.text == "late"]
