"""A session: turns of one run, the queue, interrupts and resumption, changes of run, and closing."""

import json
import time
from pathlib import Path
from threading import Event as Flag

import pytest

from agent.config.settings import NOWHERE, Settings
from agent.engine.base_instructions import BaseInstructions
from agent.engine.branch import INTERRUPTED, STOPPED
from agent.lifecycle.turn_lifecycle import next_turn
from agent.run_state.run_ownership import register
from extensions.interactive.session import session_events
from extensions.interactive.session.error_messages import error_event
from extensions.interactive.session.session_start import session_settings
from tests.extensions.interactive.session.scripted_session import PATIENCE, calls, says
from trajectories.errors import WorkspaceError
from trajectories.journal import read
from trajectories.records import Exit, Note

LOOK = calls("view", path="a.py")
SLEEP = calls("shell", command="sleep 300", timeout=600)
NEW = calls("edit", path="b.py", old="", new="def g():\n    return 2\n")


def flag_action(talk, action=""):
    """Return a flag that is set when an action starts."""
    flag = Flag()

    def check_action(event):
        if (
            isinstance(event, session_events.ProgressReported)
            and event.happening.kind == "action"
            and action in event.happening.text
            and not event.happening.text.startswith("finding")  # localization, before the first request
        ):
            flag.set()

    talk.hooks.append(check_action)
    return flag


def test_session_does_not_deliver_automatically():
    settings = session_settings(Settings(apply=True, branch="mine", pr=True))
    assert {name: getattr(settings, name) for name in NOWHERE} == NOWHERE


def test_session_records_its_turns_in_one_run(talk):
    talk = talk([says("Look.", LOOK, n=1), says("f returns 1.", n=2), says("g is 2.", n=3)], mode="plan")
    talk.say("What does f do?").say("And g?")
    assert talk.replies == ["f returns 1.", "g is 2."]
    assert len(talk.all(session_events.RunOpened)) == 1
    assert [turn.strategy for turn in talk.session.engine.trajectory.turns] == ["plan", "plan"]
    assert talk.session.state == "idle"


def test_prompts_during_turn_are_queued_and_can_be_removed(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")])
    started = flag_action(talk)
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.say("one")
    talk.session.say("two\nlines")
    assert talk.session.status.queued == ("one", "two\nlines")
    assert talk.session.unqueue() == "two\nlines"
    assert talk.session.unqueue() == "one"
    assert talk.session.unqueue() == ""
    talk.session.interrupt()
    assert talk.wait_for_event(session_events.TurnStopped).error.code == 130


@pytest.mark.slow
def test_queued_diff_shows_changes_of_commands_before_it(talk):
    talk = talk([says("Done.", calls("shell", command="echo new > new.txt"))])
    talk.say("Begin")
    talk.say("/undo")
    message_count, release = len(talk.messages), Flag()
    talk.session.later("", lambda: release.wait(PATIENCE))
    for command in ("/redo", "/diff", "/mode plan"):
        talk.session.say(command)
    assert talk.session.queued == ("/redo", "/diff"), "/mode is not queued behind them"
    release.set()
    talk.wait_until_idle()
    messages = talk.messages[message_count:]
    assert [text.splitlines()[-1] for text in messages if "+new" in text] == ["+new"], messages


@pytest.mark.slow
def test_interrupt_holds_queue_until_next_prompt(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")], mode="plan")
    started = flag_action(talk)
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.say("later")
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    talk.wait_until_idle()
    assert talk.session.state == "paused"
    assert talk.session.queued == ("later",)
    talk.say("Not so")
    talk.wait_until_idle()
    assert talk.session.queued == ()
    turns = talk.session.engine.trajectory.turns
    assert [turn.request for turn in turns[1:]] == ["later"]
    assert [note.text for note in talk.session.engine.trajectory.notes if note.kind == "message"] == ["Not so"]


def interrupt_with_queue(talk, *prompts, script=None, **start):
    """Interrupt a turn of one action while these prompts are queued."""
    talk = talk(script or [says("Wait.", SLEEP, n=1), says("Done.")], **({"mode": "plan"} | start))
    started = flag_action(talk)
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    for prompt in prompts:
        talk.session.say(prompt)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    return talk.wait_until_idle()


@pytest.mark.parametrize("command", ["/diff", "/permissions", "/model", "!echo hi"])
def test_command_does_not_start_held_prompts(talk, command):
    talk = interrupt_with_queue(talk, "later").say(command).wait_until_idle()
    assert talk.session.queued == ("later",)
    assert "later" not in [turn.request for turn in talk.session.engine.trajectory.turns]


@pytest.mark.slow
def test_held_prompt_runs_when_no_turn_can_be_resumed(talk):
    talk = interrupt_with_queue(talk, "later").say("!echo hi")
    talk.session.go_on()
    talk.wait_until_idle().wait_until_idle()
    assert [turn.request for turn in talk.session.engine.trajectory.turns[1:]] == ["!echo hi", "later"]
    assert talk.session.queued == ()


@pytest.mark.slow
def test_interrupted_turn_continues_with_another_model(talk, tmp_path):
    talk = interrupt_with_queue(talk)
    first, other = talk.session.settings.model, tmp_path / "other.jsonl"
    other.write_text('{"reply": {"text": "From the other."}}\n')
    talk.say(f"/model scripted:{other} it is slow")
    assert talk.messages[-1].endswith(f" Words start one now; Enter alone resumes this turn with {first}.")
    talk.say("Go on")
    assert talk.replies[-1] == "From the other."
    [note] = [note for note in talk.session.engine.trajectory.notes if note.kind == "model"]
    assert note.data == {"from": first, "to": f"scripted:{other}", "why": "it is slow"}


@pytest.mark.slow
@pytest.mark.parametrize("change", ["/new", "/fork", "/resume {}"])
def test_queue_is_discarded_on_change_of_run(talk, change):
    check_action = [says("Look.", LOOK, n=1), says("Wait.", SLEEP, n=2), says("Done.")]
    other = talk([says("Yes.")], mode="plan").say("Hi")
    run, root = other.session.engine.journal.directory, other.session.start.source.root
    other.session.close()
    talk = talk(check_action, root=root, mode="plan", settings={"state": run.parents[1]})
    started = flag_action(talk, "sleep")
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.say("change f")
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    talk.wait_until_idle().say(change.format(run.name))
    discarded = "Discarded from the queue of the other run: “change f”. Send it again if you want it here."
    assert discarded in talk.messages
    assert talk.session.queued == ()


def resume_run(talk, first):
    run, root = first.session.engine.journal.directory, first.session.start.source.root
    first.session.close()
    return talk([says("Done.")], root=root, run=run, settings={"state": run.parents[1]}).wait_until_idle()


@pytest.mark.slow
def test_resumed_run_has_its_mode_despite_manual_commands(talk):
    resumed = resume_run(talk, talk([says("Yes.")], mode="plan").say("Hi").say("!echo hi").say("/undo"))
    assert resumed.session.mode == "plan"
    assert resumed.session.next_strategy == "plan"


@pytest.mark.slow
def test_resumed_run_has_chosen_strategy(talk):
    done = says("Done.", calls("submit", summary="Done."))
    resumed = resume_run(talk, talk([done]).say("/strategy react").say("Hi").say("!echo hi"))
    assert resumed.session.next_strategy == "react"


def test_resumed_proof_continues_in_build_mode(talk):
    first = talk([says("Yes.")]).say("!echo x > a.txt")
    next_turn(first.session.engine, "prove it", "proposed-patch", first.settings)
    first.session.engine.journal.append(Exit("unproven", 6, first.session.engine.run.base.tree))
    resumed = resume_run(talk, first)
    assert resumed.session.next_strategy == "build"


def test_documented_test_command_is_no_setting_of_the_session(talk, make_repo, monkeypatch):
    root = make_repo({"AGENTS.md": "Test with `make test`.\n", "Makefile": "test:\n\t./own\n", "setup.py": ""})
    first = talk([says("Yes.")], root=root, mode="plan").say("Hi")
    (asked,) = first.all(session_events.QuestionAsked)
    assert (asked.approval.subject, asked.approval.needs_user) == ("make test", True)
    assert (first.session.engine.settings.test, first.session.settings.test) == ("make test", "")
    isolated = {"workspace": "sandbox"}
    complete = BaseInstructions.complete
    monkeypatch.setattr(
        BaseInstructions, "complete", lambda self, used: complete(self, used.model_copy(update=isolated))
    )
    resumed = resume_run(talk, first)
    assert (resumed.session.engine.settings.test, resumed.session.settings.test) == ("make test", "")


@pytest.mark.slow
def test_run_without_model_is_resumed_with_configured_model(talk):
    resumed = resume_run(talk, talk([]).say("f returns 2").say("!echo hi"))
    assert (resumed.session.mode, resumed.session.strategy) == ("build", "")


@pytest.mark.slow
def test_interrupted_manual_command_is_not_repeated(talk):
    first = talk([says("Yes.")], mode="plan").say("Hi").say("!echo once >> output.txt")
    run = first.session.engine.journal.directory
    root = first.session.start.source.root
    first.session.close()
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if json.loads(line).get("author") == "hand")
    journal.write_text("".join(lines[:end]))  # as after kill -9
    register(run, run.parents[1])
    second = talk([says("Done.")], root=root, run=run, settings={"state": run.parents[1]}).wait_until_idle()
    assert second.session.state == "idle"
    assert second.session.engine.trajectory.exit.kind == "interrupted"
    assert "The last command was interrupted and is not repeated." in second.messages
    second.session.go_on()
    second.wait_until_idle()
    assert not second.all(session_events.TurnStarted)


@pytest.mark.slow
def test_interrupted_manual_command_keeps_its_output(talk):
    talk = talk([says("Yes.")])
    shown = Flag()
    talk.hooks.append(
        lambda event: (
            isinstance(event, session_events.ProgressReported)
            and event.happening.kind == "output"
            and "two" in event.happening.text
            and shown.set()
        )
    )
    talk.session.say("!echo new > new.txt; echo zero; echo one; echo two; sleep 300")
    assert shown.wait(PATIENCE)
    talk.session.interrupt()
    result = talk.wait_for_event(session_events.TurnEnded).result
    (recorded,) = talk.all(session_events.StepRecorded)
    assert recorded.step.observations[0].text == f"{STOPPED}\none\ntwo"
    assert [file.path for file in talk.session.status.files] == ["new.txt"]
    assert (result.exit.kind, result.exit.code) == ("interrupted", 130)
    assert f"{result.exit.message} {result.exit.fix}" == (
        "The command was stopped before its end. Enter it again to repeat it."
    )
    assert talk.wait_until_idle().session.state == "idle"
    assert "new" in talk.say("!cat new.txt").all(session_events.StepRecorded)[-1].step.observations[0].text


@pytest.mark.parametrize(
    ("fix", "shown"),
    [
        ("`swe-agent resume` continues in a new workspace.", "`/resume` continues in a new workspace."),
        ("Continue with `swe-agent resume 20260101-fox`.", "Continue with `/resume`."),
        ("`swe-agent resume /a/run` continues a copy.", "`swe-agent resume /a/run` continues a copy."),
    ],
)
def test_error_names_command_of_session(fix, shown):
    assert error_event(WorkspaceError("The disk is full.", fix)).text == f"The disk is full. {shown}"


@pytest.mark.parametrize("by_hand", ["!sleep 300", "/test"])
def test_message_during_turn_without_model_is_queued(talk, by_hand):
    talk = talk([says("Yes."), says("Heard.", contains="use tabs")], mode="plan").say("Hi")
    steered = []
    talk.hooks.append(
        lambda event: (
            isinstance(event, session_events.ProgressReported)
            and event.happening.kind == "action"
            and not steered
            and steered.append(talk.session.steer("use tabs"))
        )
    )
    started = flag_action(talk)
    talk.session.say(by_hand)
    assert started.wait(PATIENCE)
    talk.session.interrupt()
    talk.wait_until_idle()
    assert steered == [False]
    assert not [note for note in talk.session.engine.trajectory.notes if note.kind == "message"]
    requests = [turn.request for turn in talk.session.engine.trajectory.turns]
    assert "use tabs" in (*talk.session.queued, *requests)


@pytest.mark.slow
def test_interrupted_turn_is_resumed(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")])
    started = flag_action(talk)
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    started.clear()
    talk.session.go_on()
    assert started.wait(PATIENCE)  # the interrupted action runs again
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped, 2)
    assert len(talk.session.engine.trajectory.turns) == 1


@pytest.mark.slow
def test_actions_finished_before_interrupt_are_kept(talk):
    command = calls("shell", command="echo part > part.txt; sleep 300", timeout=600)
    late = calls("edit", path="c.py", old="", new="late")
    talk = talk([says("Work.", NEW, command, late, n=1), says("Done.", calls("submit", summary="Done."))])
    started = flag_action(talk, "sleep")
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    part = Path(talk.session.engine.workspaces.root().root, "part.txt")
    end = time.monotonic() + PATIENCE
    while not part.exists() and time.monotonic() < end:
        time.sleep(0.02)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    step = talk.all(session_events.StepRecorded)[-1].step
    assert [seen.ok for seen in step.observations] == [True, False, False]
    assert [seen.text for seen in step.observations[1:]] == [STOPPED, INTERRUPTED]
    assert [file.path for file in talk.session.status.files] == ["b.py", "part.txt"]
    talk.say("Go on with that")
    sent = [seen.text for step in talk.session.engine.trajectory.steps["main"] for seen in step.observations]
    assert sent.count(STOPPED) == 1
    assert [file.path for file in talk.session.status.files] == ["b.py", "part.txt"]
    assert len(talk.session.engine.trajectory.turns) == 1, "the turn continues"


@pytest.mark.slow
def test_resumed_turn_reports_each_step_once(talk):
    talk = talk([says("Look.", LOOK, n=1), says("Wait.", SLEEP, n=2), says("Done.")], mode="plan")
    started = flag_action(talk, "sleep")
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    talk.say("Not so")
    step_ids = [event.step.id for event in talk.all(session_events.StepRecorded)]
    assert len(step_ids) == len(set(step_ids))
    assert talk.replies == ["Done."]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["/mode plan", "/strategy react"])
def test_change_of_mode_or_strategy_abandons_interrupted_turn(talk, change):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.", calls("submit", summary="Done."))])
    started = flag_action(talk)
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    talk.say(change).say("Again")
    assert [turn.request for turn in talk.session.engine.trajectory.turns[1:]] == ["Again"]


@pytest.mark.slow
def test_new_budget_applies_to_interrupted_turn(talk):
    talk = talk([says("Wait.", SLEEP, n=1), says("Done.")], mode="plan")
    started = flag_action(talk, "sleep")
    talk.session.say("Begin")
    assert started.wait(PATIENCE)
    talk.session.interrupt()
    talk.wait_for_event(session_events.TurnStopped)
    talk.say("/cost 7").say("Not so")
    assert len(talk.session.engine.trajectory.turns) == 1
    assert talk.replies == ["Done."]
    talk.say("Once more")
    assert talk.session.engine.settings.budget == 7


@pytest.mark.slow
@pytest.mark.parametrize("amount", ["0", "5"])
def test_new_budget_applies_to_running_turn(talk, amount):
    table = {"scripted": {"price_in": 1.0, "price_out": 1.0, "max_output": 1000}}
    talk = talk([says("Look.", LOOK, n=1), says("Done.")], mode="plan", settings={"models": table})
    talk.hooks.append(
        lambda event: isinstance(event, session_events.StepRecorded) and talk.session.say(f"/cost {amount}")
    )
    talk.say("Begin")
    kind = talk.all(session_events.TurnEnded)[-1].result.exit.kind
    assert kind == ("budget" if amount == "0" else "answered")


def test_steering_message_reaches_next_step(talk):
    talk = talk([says("Look.", LOOK, n=1), says("As you say.", contains="use tabs"), says("Unheard.")], mode="plan")

    def steer(event):
        if isinstance(event, session_events.StepRecorded) and event.step.reply == 1:
            talk.session.steer("use tabs")

    talk.hooks.append(steer)
    talk.say("Begin")
    assert talk.replies == ["As you say."]


def test_steering_message_without_turn_is_request(talk):
    talk = talk([says("Hello.")], mode="plan")
    talk.session.steer("Hi")
    talk.wait_until_idle()
    assert talk.replies == ["Hello."]


@pytest.mark.slow
def test_attachments_reach_model_but_not_localization(talk, monkeypatch):
    session = talk([says("Yes.")], root=None)
    root = session.session.start.source.root
    (root / "notes.txt").write_text("def widget_of_b is in b.py\n")
    (root / "b.py").write_text("def widget_of_b():\n    return 2\n")
    session.say("/mode plan").say("What does f return? @notes.txt").say("And now? @notes.txt")
    engine = session.session.engine
    assert engine.run.issue.text == "What does f return? @notes.txt"
    assert engine.trajectory.turns[1].request == "And now? @notes.txt"
    quoted = "<attachments>\nnotes.txt:\n```\ndef widget_of_b is in b.py\n```\n</attachments>"
    first, second = (step.observations[0].text for step in engine.trajectory.steps["main"] if step.author == "task")
    assert first.startswith(f"<issue>\nWhat does f return? @notes.txt\n</issue>\n\n{quoted}")
    assert second.startswith(f"And now? @notes.txt\n\n{quoted}")
    found = next(record.value for record in engine.trajectory.records if getattr(record, "name", "") == "localize")
    assert "widget_of_b" not in str(found["functions"])


@pytest.mark.slow
def test_pasted_key_is_not_recorded(talk, monkeypatch):
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
    assert len(talk.replies) == 2
    journal = (talk.session.engine.journal.directory / "journal.jsonl").read_text()
    assert "hunter2" not in journal


def test_error_does_not_end_session(talk):
    talk = talk([says("Yes.")], mode="plan", settings={"model": "scripted:/nowhere"})
    talk.say("Do it")
    assert any("/nowhere cannot be read" in text for text in talk.messages)
    talk.session.later("x", lambda: 1 / 0)
    talk.wait_until_idle()
    assert "swe-agent has a bug" in talk.messages[-1]
    assert talk.session.state == "idle"
    talk.say("/help")
    assert "/mode" in talk.all(session_events.FrontEndRequested)[-1].words


def test_unknown_command_is_reported_but_path_is_prompt(talk):
    talk = talk([says("It is a path.")], mode="plan")
    talk.say("/qqq")
    assert talk.messages[-1] == "There is no command /qqq. `/help` lists all commands."
    talk.say("/comit")
    assert talk.messages[-1] == "There is no command /comit. Did you mean `/commit`? `/help` lists all commands."
    talk.say("/etc/hosts is broken")
    assert talk.replies == ["It is a path."]


@pytest.mark.slow
def test_closed_session_can_be_resumed(talk, tmp_path):
    first = talk([says("Wait.", SLEEP, n=1), says("Done.")])
    started = flag_action(first)
    first.session.say("Begin")
    assert started.wait(PATIENCE)
    first.session.say("never done")
    run = first.session.engine.journal.directory
    first.session.close()
    assert isinstance(first.events[-1], session_events.SessionClosed)
    assert read(run).exit is None
    second = talk([says("Done.")], root=first.session.start.source.root, run=run, settings={"state": run.parents[1]})
    second.wait_until_idle()
    assert second.session.state == "paused"
    assert [event.trajectory.run.id for event in second.all(session_events.RunOpened)] == [run.name]


def test_run_of_another_repository_is_not_resumed(talk, make_repo):
    first = talk([says("Yes.")], mode="plan").say("Hi")
    run = first.session.engine.journal.directory
    first.session.close()
    second = talk([], root=make_repo({"x": ""}), run=run, settings={"state": run.parents[1]})
    second.wait_until_idle()
    assert "not to this repository" in second.messages[-1]
    assert second.session.engine is None


def test_run_of_another_open_session_is_not_resumed(talk):
    first = talk([says("Yes.")], mode="plan").say("Hi")
    run = first.session.engine.journal.directory
    root = first.session.start.source.root
    second = talk([says("No.")], root=root, run=run, request="Again", settings={"state": run.parents[1]})
    second.wait_until_idle().wait_until_idle()
    assert "Another process" in second.messages[-1]
    assert not second.replies, "the first request is not run in a new run"


@pytest.mark.slow
def test_first_request_is_run_in_new_or_resumed_run(talk):
    script = [says("One.", n=1), says("Two.", n=2)]
    first = talk(script, mode="plan", request="First?").wait_until_idle()
    run = first.session.engine.journal.directory
    root = first.session.start.source.root
    first.session.close()
    second = talk(script, root=root, run=run, request="Second?", settings={"state": run.parents[1]})
    second.wait_until_idle().wait_until_idle()
    assert (first.replies, second.replies) == (["One."], ["Two."])
    assert second.session.engine.journal.directory == run


def test_unused_session_is_closed(talk):
    talk = talk([])
    talk.session.close()
    assert len(talk.all(session_events.SessionClosed)) == 1


def test_message_after_end_of_turn_is_not_recorded(talk):
    talk = talk([says("Yes.")], mode="plan").say("Hi")
    assert not talk.session.turns.steer("late")  # the turn has ended
    assert not [note for note in talk.session.engine.trajectory.notes if isinstance(note, Note) and note.text == "late"]
