"""Successive turns of a run: their start, interruption, undo, and limits on changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from agent.conversation.model_roles import context_share
from agent.engine.branch import INTERRUPTED, MOVED, STOPPED
from agent.engine.proof_step import verdict_of
from agent.lifecycle.turn_lifecycle import end_interrupted, next_turn, resume_turn
from agent.strategies.build import PLANNED
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import DOUBLE, FILES, FIX, Sent, TurnSession
from trajectories.errors import Cancelled
from trajectories.facts import Fact
from trajectories.plugins import extension_names
from trajectories.records import Exit, Note, Reply
from trajectories.verdict import Verdict


@pytest.fixture
def bench(tmp_path: Path, make_repo: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, make_repo(FILES))


def messages_by(talk: TurnSession, author: str) -> list[str]:
    return [step.observations[0].text for step in talk.steps if step.author == author]


@pytest.mark.slow
def test_later_turn_continues_conversation_files_and_budget(talk, monkeypatch):
    sent = Sent(monkeypatch)
    session = talk(
        line("It subtracts.", n=1),
        line("Fix.", FIX, n=2),
        line("Fixed.", n=3),
        line("Add.", DOUBLE, n=4),
        line("Added.", n=5),
    )
    first = session.finish_turn()
    assert (first.exit.kind, first.exit.code, first.word) == ("answered", 0, "It subtracts.")
    second = session.send("Fix it.")
    assert (second.exit.kind, second.exit.code) == ("unproven", 6)
    assert second.word.startswith("Fixed.\n\nAll tests that passed before still pass. The change is unproven")
    third = session.send("Add double().")
    assert "calc.py" in third.patch.diff
    assert "double.py" in third.patch.diff
    assert session.engine.trees.changed(third.began, third.exit.tree)[0].path == "double.py"
    assert third.spent.calls == 5
    for earlier, later in pairwise(sent):
        assert later[: len(earlier)] == earlier, "a request does not extend the one before"
    assert [text for role, text in sent[-1] if role == "user"][1] == "Fix it."
    assert (session.bench.directory / "patch.diff").read_text() == third.patch.diff


@pytest.mark.slow
def test_stopped_turn_ends_with_its_own_tree(talk):
    session = talk(
        line("Fix.", FIX, act("submit"), n=1),
        line("No test is needed.", act("submit"), n=2),
        line("Add.", DOUBLE, n=3),
        strategy="react",
    )
    assert session.finish_turn().patch
    stopped = session.send("Add double().", "react", max_steps=1)
    assert (stopped.exit.kind, stopped.exit.code) == ("limit", 6)
    assert session.engine.trees.files(stopped.exit.tree).keys() >= {"double.py"}
    nothing = session.send("And now?", "react", max_steps=1)
    assert (nothing.exit.kind, nothing.exit.code, nothing.exit.tree) == ("error", 1, stopped.exit.tree)


@pytest.mark.slow
def test_model_is_informed_if_files_differ_at_turn_start(talk):
    change = act("edit", path="tests/test_words.py", old='"a"', new='"b"')
    session = talk(
        line("Both.", FIX, change, act("submit"), n=1),
        line("No new test is needed.", act("submit"), n=2),
        line("Fine.", n=3),
        strategy="react",
        update_tests=False,
    )
    ended = session.finish_turn()
    assert ended.exit.tree != session.steps[-1].tree
    session.send("Is it done?", update_tests=False)
    assert messages_by(session, "turn") == [MOVED]
    assert '"a"' in session.file("tests/test_words.py")


@pytest.mark.slow
def test_files_that_no_longer_load_are_reported_in_same_turn(talk):
    session = talk(
        line("Hm.", n=1),
        line("Break.", act("edit", path="calc.py", old="def add", new="import nowhere\n\n\ndef add"), n=2),
        line("So be it.", n=3),
    )
    session.finish_turn()
    session.send("Break it.")
    assert "calc can no longer be loaded" in messages_by(session, "safety")[0]


@pytest.mark.slow
def test_repeated_answers_do_not_count_as_loop(talk):
    session = talk(
        *(line("Yes.", n=number) for number in (1, 2, 3)),
        line("Hm.", n=4),
        line("Done.", FIX, act("submit"), n=5),
        line("No test is needed.", act("submit"), n=6),
    )
    session.finish_turn()
    session.send("Sure?", "plan")
    session.send("Really?", "plan")
    assert session.send("Fix it.", "react").exit.kind == "unproven"


def test_time_between_turns_is_not_counted(talk, monkeypatch):
    session = talk(line("Yes.", n=1), line("No.", n=2))
    session.finish_turn()
    seconds = session.engine.clock.seconds
    assert session.engine.clock.seconds == seconds
    trajectory = session.engine.trajectory
    assert trajectory.live_seconds() == pytest.approx(seconds, abs=0.5)
    late = Note("main", "life", "start_turn_session", at=trajectory.records[-1].at + 1000)
    next_turn(session.engine, "And?", "build", session.settings)
    trajectory.records[-1] = type(trajectory.turns[-1])("And?", "build", at=late.at)
    trajectory.add(late)
    assert trajectory.live_seconds() == pytest.approx(seconds, abs=0.5)
    assert trajectory.turn_seconds() == 0.0


def test_elapsed_time_never_decreases(talk):
    session = talk(line("Yes.", n=1), line("No.", n=2))
    session.finish_turn()
    engine, shown = session.engine, session.engine.clock.seconds
    engine.trajectory.records[-1] = replace(engine.trajectory.records[-1], at=engine.run.at)
    engine.clock._stopped_at = shown + 1000  # as after unrecorded work, such as that of an interrupted step
    session.send("And?")
    assert 0.0 <= engine.clock.seconds - shown - 1000 < 500


def test_duplicate_proof_note_is_shown_once(talk, monkeypatch):
    note = "The test run ended with exit code 4 before all its tests were reported."
    facts = tuple(Fact("limit", text) for text in (note, "Another.", note))
    monkeypatch.setattr("aci.proof.proof.prove", lambda *_, **__: Verdict("unproven", facts=facts))
    session = talk(line("Fix.", FIX, n=1), line("Fixed.", n=2))
    session.finish_turn()
    (proof,) = messages_by(session, "proof")
    assert proof.count(note) == 1
    step = next(step for step in session.steps if step.author == "proof")
    assert verdict_of(step).notes == (note, "Another.")


# Interrupts


def interrupt_turn(session: TurnSession, after: str) -> None:
    """Run the turn until an action whose text contains `after` starts, then interrupt it."""

    def stop(engine, event):
        if event.kind == "action" and after in event.text:
            engine.cancel.set()

    session.on_event = stop
    with pytest.raises(Cancelled):
        session.finish_turn()
    session.on_event = lambda engine, event: None


TWICE = line("Two.", act("shell", command="echo 1 >> log.txt"), act("shell", command="echo 2 >> log.txt"), n=1)


@pytest.mark.slow
@pytest.mark.parametrize("in_new_process", [False, True], ids=["the same process", "another process"])
def test_message_after_interrupt_replaces_pending_actions(talk, in_new_process):
    session = talk(TWICE, line("Well.", n=2))
    interrupt_turn(session, "echo 1")
    if in_new_process:
        session.reopen()
    resume_turn(session.engine, "Rather not.")
    result = session.finish_turn()
    assert [observation.text for observation in session.steps[1].observations] == [INTERRUPTED, INTERRUPTED]
    assert messages_by(session, "user") == ["Rather not."]
    assert (result.exit.kind, result.patch.diff) == ("answered", "")
    assert session.engine.workspaces.root().run("cat log.txt").code != 0, "a file of the interrupted action remains"


@pytest.mark.slow
@pytest.mark.parametrize("in_new_process", [False, True], ids=["the same process", "another process"])
def test_resume_after_interrupt_keeps_finished_actions(talk, in_new_process):
    session = talk(TWICE, line("Well.", n=2))
    interrupt_turn(session, "echo 2")
    if in_new_process:
        session.reopen()
    resume_turn(session.engine)
    session.finish_turn()
    assert session.file("log.txt") == "1\n"
    (step,) = (step for step in session.steps if len(step.actions) == 2)
    assert [observation.ok for observation in step.observations] == [True, False]
    assert step.observations[1].text == STOPPED
    assert len([record for record in session.engine.trajectory.records if isinstance(record, Reply)]) == 2


@pytest.mark.slow
def test_interrupted_turn_can_be_abandoned(talk, monkeypatch):
    sent = Sent(monkeypatch)
    session = talk(TWICE, line("Fine.", n=2))
    interrupt_turn(session, "echo 1")
    end_interrupted(session.engine)
    assert session.send("Something else.", "plan").exit.kind == "answered"
    assert ("tool", INTERRUPTED) in sent[-1]
    kinds = [record.kind for record in session.engine.trajectory.records if isinstance(record, Exit)]
    assert kinds == ["interrupted", "answered"]


def test_message_during_last_request_is_read_before_turn_ends(talk):
    session = talk(line("Done.", n=1), line("Both done.", n=2))
    sent_messages = []

    def steer(engine, event):
        if event.kind == "ask" and not sent_messages:
            sent_messages.append(engine.journal.append(Note("main", "message", "Mind b, too.")))

    session.on_event = steer
    assert session.finish_turn().word == "Both done."
    assert messages_by(session, "user") == ["Mind b, too."]
    before = (session.bench.directory / "journal.jsonl").read_bytes()
    lines = before.splitlines(keepends=True)
    (session.bench.directory / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    session.reopen()
    assert session.finish_turn().word == "Both done."


def test_late_message_is_read_in_next_turn(talk, monkeypatch):
    sent = Sent(monkeypatch)
    session = talk(line("Done.", n=1), line("I see.", n=2))
    session.finish_turn()
    session.engine.journal.append(Note("main", "message", "By the way."))
    session.send("And now this.")
    assert [text for role, text in sent[-1] if role == "user"][1:] == ["By the way.", "And now this."]


# Undo and redo


@pytest.mark.slow
def test_undo_and_redo_move_files_and_conversation(talk, monkeypatch):
    sent = Sent(monkeypatch)
    session = talk(
        line("Fix.", FIX, n=1),
        line("Fixed.", n=2),
        line("Add.", DOUBLE, n=3),
        line("Added.", n=4),
        line("First.", n=5),
        line("Second.", n=6),
        line("Third.", n=7),
    )
    fixed, added = session.finish_turn().exit.tree, session.send("Add double().").exit.tree
    undone = session.send("/undo", "undo")
    assert (undone.exit.kind, undone.exit.code, undone.exit.tree) == ("undone", 0, fixed)
    assert messages_by(session, "undo") == ["Undone: “Add double().”."]
    assert session.send("/redo", "undo").exit.tree == added
    session.send("What is there?", "plan")
    assert sent[-1][: len(sent[3])] == sent[3], "redo does not restore the earlier messages"
    assert any("Add double()." in text for _, text in sent[-1])

    assert session.send("/undo 2", "undo").exit.tree == fixed
    session.send("And now?", "plan")
    assert sent[-1][:-1] == [*sent[1], ("assistant", "Fixed."), *sent[-1][len(sent[1]) + 1 : -1]]
    assert not any("double" in text for _, text in sent[-1])
    session.send("!ls double.py", "by-hand")
    assert "No such file" in session.steps[-1].observations[0].text
    assert session.send("/redo", "undo").exit.kind == "done", "redo works after another turn"
    assert messages_by(session, "undo")[-1] == "There is nothing to redo."

    base = session.engine.run.base.tree
    assert session.send("/undo 9", "undo").exit.tree == base
    session.send("What is it about?")
    assert len(sent[-1]) == 2, "the request contains earlier messages"
    assert sent[-1][1][1].startswith("<issue>\nWhat is it about?")


@pytest.mark.slow
def test_undo_skips_turn_without_changes(talk):
    session = talk(line("Fix.", FIX, n=1), line("Fixed.", n=2))
    session.finish_turn()
    session.send("!ls", "by-hand")
    assert session.send("/undo", "undo").exit.tree == session.engine.run.base.tree
    session.send("/redo", "undo")
    session.send("!touch new.txt", "by-hand")
    after = session.send("/undo", "undo")
    assert "new.txt" not in session.engine.trees.files(after.exit.tree)
    assert "a + b" in session.file("calc.py")


# Commands of the user


@pytest.mark.slow
def test_model_reads_output_of_user_commands(talk, monkeypatch):
    sent = Sent(monkeypatch)
    session = talk(line("Hm.", n=1), line("I see it.", n=2))
    session.finish_turn()
    result = session.send("!echo from afar; touch new.txt", "by-hand")
    assert (result.exit.kind, result.exit.code) == ("done", 0)
    session.send("", "by-hand")
    session.send("What was that?", "plan")
    assert any("The user called shell" in text and "from afar" in text for _, text in sent[-1])
    assert any("The user called run_tests" in text and "1 passed" in text for _, text in sent[-1])
    assert "new.txt" in session.engine.trees.files(session.steps[-1].tree)


def test_interrupted_user_command_ends_its_turn(talk):
    session = talk(line("Hm.", n=1))
    session.finish_turn()
    next_turn(session.engine, "!touch new.txt", "by-hand", session.settings)
    session.on_event = lambda engine, event: engine.cancel.set() if event.kind == "action" else None
    session.engine.cancel.set()
    ended = session.finish_turn()
    assert (ended.exit.kind, ended.patch.diff) == ("interrupted", "")


@pytest.mark.slow
def test_prove_turn_runs_whole_proof(talk):
    test = (
        "import unittest\n\nfrom calc import add\n\n\nclass CalcTest(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
    )
    session = talk(
        line("Fix.", FIX, n=1),
        line("Fixed.", n=2),
        line("Test.", act("edit", path="tests/test_calc.py", old="", new=test), n=3),
        line("There.", n=4),
    )
    assert session.finish_turn().exit.kind == "unproven"
    first = session.send("", "prove")
    assert (first.exit.kind, first.exit.code) == ("unproven", 6)
    session.send("Add a test.")
    proven = session.send("", "prove")
    assert (proven.exit.kind, proven.exit.code) == ("plausible", 6)
    assert proven.exit.verdict.tests
    assert (session.bench.directory / "proof.sh").exists() == ("bundles" in extension_names())


@pytest.mark.slow
def test_compact_turn_shortens_conversation(talk, monkeypatch):
    sent = Sent(monkeypatch)
    session = talk(
        line("Fix.", FIX, n=1),
        line("Fixed.", n=2),
        line("Let me look.", act("view", path="calc.py"), n=3),
        line("add() was fixed in calc.py:2.", n=4),
        line("On we go.", n=5),
    )
    fixed = session.finish_turn().exit.tree
    compacted = session.send("Mind the tests.", "compact")
    assert (compacted.exit.kind, compacted.exit.tree) == ("done", fixed)
    session.send("Go on.", "plan")
    assert [role for role, _ in sent[-1]] == ["system", "user", "user"]
    assert "add() was fixed in calc.py:2." in sent[-1][1][1]
    assert session.send("/undo 2", "undo").exit.tree == fixed
    assert context_share(session.engine.trajectory, session.engine.models) is None


# Limits on changes


def test_plan_mode_changes_no_files(talk, monkeypatch):
    session = talk(
        line("Try.", FIX, act("shell", command="echo x > new.txt; echo y > old.tmp; echo z >> calc.py"), n=1),
        line("Hand in.", act("submit"), act("undo"), n=2),
        line("A plan.", n=3),
        strategy="plan",
    )
    ended = session.finish_turn()
    assert (ended.exit.kind, ended.patch.diff) == ("answered", "")
    edit, shell = session.steps[1].observations
    assert edit.text == "Not changed: plan mode does not allow changes. Answer in words."
    assert shell.text.endswith("[Restored, since plan mode does not allow changes: calc.py, new.txt]")
    assert [observation.ok for observation in session.steps[2].observations] == [False, False]
    left = session.engine.workspaces.root().run("cat old.tmp; git status --short").text
    assert left == "y\n", "an ignored file was removed"


@pytest.mark.slow
def test_only_chosen_folder_may_be_changed(talk):
    session = talk(
        line(
            "Both.",
            FIX,
            act("edit", path="./tests/new.py", old="", new="x = 1\n"),
            act("shell", command="rm words.py"),
            n=1,
        ),
        line("Done.", n=2),
        subtree="tests",
    )
    ended = session.finish_turn()
    assert [change.path for change in session.engine.trees.changed(ended.began, ended.exit.tree)] == ["tests/new.py"]
    edit, _, remove = session.steps[1].observations
    assert edit.text == "Not changed: only tests/ may be changed."
    assert remove.text.endswith("[Restored, since only tests/ may be changed: words.py]")


def test_build_after_plan_may_change_files(talk):
    session = talk(line("A plan.", n=1), line("Done.", n=2), strategy="plan")
    session.finish_turn()
    session.send("Do it.")
    assert session.steps[2].observations[0].text == f"Do it.\n\n{PLANNED}"


# Images, context window and forks


def test_images_are_sent_with_message_of_their_turn(talk, monkeypatch):
    session = talk(line("Hm.", n=1), line("I see.", n=2))
    session.finish_turn()
    sent = Sent(monkeypatch)
    monkeypatch.setattr("agent.models.scripted.Scripted.images", True)
    session.send("Like this one.", "plan", images=("data:image/png;base64,AAAA",))
    with_image = [number for number, (_, text) in enumerate(sent[0]) if "data:image" in text]
    assert len(with_image) == 1
    assert "Like this one." in sent[0][with_image[0]][1]


def test_context_share_grows_with_usage(talk, own_config):
    session = talk(
        line("Hm.", n=1, usage={"input_tokens": 9_000, "output_tokens": 1_000}),
        line("Yes.", n=2),
        models={"scripted": {"context": 100_000}},
    )
    assert context_share(session.engine.trajectory, session.engine.models) is None
    session.finish_turn()
    assert context_share(session.engine.trajectory, session.engine.models) == pytest.approx(0.1)
