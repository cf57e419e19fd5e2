"""Turn after turn in one run: what the next one begins with, and what of it can be gone on with or taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from agent.engine.proof_step import verdict_of
from agent.engine.run_lifecycle import reopen
from agent.engine.task import INTERRUPTED, MOVED
from agent.engine.turn_lifecycle import end_interrupted, next_turn, resume_turn
from agent.runs.run_fork import find_origin, fork, fork_settings
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import Sent, Talk, finished
from trajectories.errors import Cancelled
from trajectories.journal import read
from trajectories.records import Exit, Note, Reply, Verdict
from trajectories.trajectory import Trajectory

FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "words.py": "def loud(word):\n    return word.upper()\n",
    "tests/__init__.py": "",
    "tests/test_words.py": (
        "import unittest\n\nfrom words import loud\n\n\nclass WordsTest(unittest.TestCase):\n"
        '    def test_loud(self):\n        self.assertEqual(loud("a"), "A")\n'
    ),
    ".gitignore": "*.pyc\n__pycache__/\n*.tmp\n",
}
MEND = act("edit", path="calc.py", old="a - b", new="a + b")
DOUBLE = act("edit", path="double.py", old="", new="def double(a):\n    return 2 * a\n")
LOUDER = act("edit", path="words.py", old="upper()", new='upper() + "!"')


@pytest.fixture
def bench(tmp_path: Path, make_repo: Callable[..., Path]) -> Bench:
    return Bench(tmp_path, make_repo(FILES))


def told(talk: Talk, author: str) -> list[str]:
    return [step.observations[0].text for step in talk.steps if step.author == author]


@pytest.mark.slow
def test_later_turn_goes_on_with_conversation_files_and_purse(talk, monkeypatch):
    sent = Sent(monkeypatch)
    it = talk(
        line("It subtracts.", n=1),
        line("Mend.", MEND, n=2),
        line("Mended.", n=3),
        line("Add.", DOUBLE, n=4),
        line("Added.", n=5),
    )
    first = it.go()
    assert (first.exit.kind, first.exit.code, first.word) == ("answered", 0, "It subtracts.")
    second = it.say("Mend it.")
    assert (second.exit.kind, second.exit.code) == ("unproven", 6)
    assert second.word.startswith("Mended.\n\nAll tests that passed before still pass. The change is not verified")
    third = it.say("Add double().")
    assert "calc.py" in third.patch.diff
    assert "double.py" in third.patch.diff
    assert it.engine.trees.changed(third.began, third.exit.tree)[0].path == "double.py"
    assert third.spent.calls == 5
    for earlier, later in pairwise(sent):
        assert later[: len(earlier)] == earlier, "what was sent before is the beginning, so it lies in the cache"
    assert [words for role, words in sent[-1] if role == "user"][1] == "Mend it."
    assert (it.bench.directory / "patch.diff").read_text() == third.patch.diff


@pytest.mark.slow
def test_turn_that_is_stopped_ends_with_its_own_tree_and_not_earlier_turns(talk):
    it = talk(line("Mend.", MEND, act("submit"), n=1), line("Add.", DOUBLE, n=2), strategy="react")
    assert it.go().patch
    stopped = it.say("Add double().", "react", max_steps=1)
    assert (stopped.exit.kind, stopped.exit.code) == ("limit", 6)
    assert it.engine.trees.files(stopped.exit.tree).keys() >= {"double.py"}
    nothing = it.say("And now?", "react", max_steps=1)
    assert (nothing.exit.kind, nothing.exit.code, nothing.exit.tree) == ("error", 1, stopped.exit.tree)


def test_model_is_told_where_turn_begins_with_other_files(talk):
    change = act("edit", path="tests/test_words.py", old='"a"', new='"b"')
    it = talk(line("Both.", MEND, change, act("submit"), n=1), line("Fine.", n=2), strategy="react", update_tests=False)
    ended = it.go()
    assert ended.exit.tree != it.steps[-1].tree
    it.say("Is it done?", update_tests=False)
    assert told(it, "turn") == [MOVED]
    assert '"a"' in it.file("tests/test_words.py")


@pytest.mark.slow
def test_files_of_later_turn_that_no_longer_load_are_told_in_that_turn(talk):
    it = talk(
        line("Hm.", n=1),
        line("Break.", act("edit", path="calc.py", old="def add", new="import nowhere\n\n\ndef add"), n=2),
        line("So be it.", n=3),
    )
    it.go()
    it.say("Break it.")
    assert "calc can no longer be loaded" in told(it, "safety")[0]


@pytest.mark.slow
def test_answers_are_no_circle(talk):
    it = talk(*(line("Yes.", n=number) for number in (1, 2, 3)), line("Hm.", n=4), line("Done.", MEND, act("submit")))
    it.go()
    it.say("Sure?", "plan")
    it.say("Really?", "plan")
    assert it.say("Mend it.", "react").exit.kind == "unproven"


def test_time_between_turns_is_not_runs(talk, monkeypatch):
    it = talk(line("Yes.", n=1), line("No.", n=2))
    it.go()
    seconds = it.engine.seconds
    assert it.engine.seconds == seconds
    trajectory = it.engine.trajectory
    assert trajectory.live_seconds() == pytest.approx(seconds, abs=0.5)
    late = Note("main", "life", "begun", at=trajectory.records[-1].at + 1000)
    next_turn(it.engine, "And?", "build", it.settings)
    trajectory.records[-1] = type(trajectory.turns[-1])("And?", "build", at=late.at)
    trajectory.add(late)
    assert trajectory.live_seconds() == pytest.approx(seconds, abs=0.5)
    assert trajectory.turn_seconds() == 0.0


def test_time_of_process_never_goes_back(talk):
    it = talk(line("Yes.", n=1), line("No.", n=2))
    it.go()
    engine, shown = it.engine, it.engine.seconds
    engine.trajectory.records[-1] = replace(engine.trajectory.records[-1], at=engine.run.at)
    engine._rest_seconds = shown + 1000  # as after work that is on no record, such as what an interrupted step did
    it.say("And?")
    assert 0.0 <= engine.seconds - shown - 1000 < 500


@pytest.mark.slow
def test_fork_has_time_of_its_parents_turns(talk):
    it = talk(line("Mend.", MEND, n=1), line("Mended.", n=2))
    it.go()
    seconds, last = it.engine.trajectory.live_seconds(), it.steps[-1]
    it.engine.close()
    found = find_origin(f"{it.bench.directory.name}@{last.n}", it.bench.settings)
    at = found.trajectory.records.index(last)
    waited = Note("main", "life", "stood still for 60 s", at=last.at + 60)
    found.trajectory.records[at:] = [waited, replace(last, at=last.at + 60)]
    found = replace(found, step=found.trajectory.records[-1])
    forked = read(fork(found, it.settings))
    assert forked.live_seconds() == pytest.approx(seconds, abs=5.0)
    kept = Trajectory([*forked.records[:-1], replace(forked.records[-1], at=last.at + 5000)])
    assert kept.records[-1].kind == "forked"
    assert kept.live_seconds() == pytest.approx(seconds, abs=5.0)


def test_what_both_sides_of_proof_say_is_told_once(talk, monkeypatch):
    said = "The test run ended with exit code 4 before all its tests were reported."
    monkeypatch.setattr("aci.proof.proof.prove", lambda *_, **__: Verdict("unproven", notes=(said, "Another.", said)))
    it = talk(line("Mend.", MEND, n=1), line("Mended.", n=2))
    it.go()
    (proof,) = told(it, "proof")
    assert proof.count(said) == 1
    step = next(step for step in it.steps if step.author == "proof")
    assert verdict_of(step).notes == (said, "Another.")


# Interrupted


def interrupted(it: Talk, after: str) -> None:
    """Run the turn until an action begins that says `after`, and stop it then."""

    def stop(engine, event):
        if event.kind == "action" and after in event.text:
            engine.cancel.set()

    it.heard = stop
    with pytest.raises(Cancelled):
        it.go()
    it.heard = lambda engine, event: None


TWICE = line("Two.", act("shell", command="echo 1 >> log.txt"), act("shell", command="echo 2 >> log.txt"), n=1)


@pytest.mark.parametrize("again", [False, True], ids=["the same process", "another process"])
def test_words_after_interrupt_are_read_and_reply_is_not_acted_on(talk, again):
    it = talk(TWICE, line("Well.", n=2))
    interrupted(it, "echo 1")
    if again:
        it.reopen()
    resume_turn(it.engine, "Rather not.")
    result = it.go()
    assert [seen.text for seen in it.steps[1].observations] == [INTERRUPTED, INTERRUPTED]
    assert told(it, "user") == ["Rather not."]
    assert (result.exit.kind, result.patch.diff) == ("answered", "")
    assert it.engine.root().run("cat log.txt").code != 0, "the files are those of the step"


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True], ids=["the same process", "another process"])
def test_going_on_as_it_was_acts_again_from_steps_files(talk, again):
    it = talk(TWICE, line("Well.", n=2))
    interrupted(it, "echo 2")
    if again:
        it.reopen()
    resume_turn(it.engine)
    it.go()
    assert it.file("log.txt") == "1\n2\n"
    assert len([record for record in it.engine.trajectory.records if isinstance(record, Reply)]) == 2


def test_interrupted_turn_can_be_left_behind(talk, monkeypatch):
    sent = Sent(monkeypatch)
    it = talk(TWICE, line("Fine.", n=2))
    interrupted(it, "echo 1")
    end_interrupted(it.engine)
    assert it.say("Something else.", "plan").exit.kind == "answered"
    assert ("tool", INTERRUPTED) in sent[-1]
    kinds = [record.kind for record in it.engine.trajectory.records if isinstance(record, Exit)]
    assert kinds == ["interrupted", "answered"]


def test_model_that_is_done_reads_first_what_was_said_meanwhile(talk):
    it = talk(line("Done.", n=1), line("Both done.", n=2))
    said = []

    def steer(engine, event):
        if event.kind == "ask" and not said:
            said.append(engine.journal.append(Note("main", "message", "Mind b, too.")))

    it.heard = steer
    assert it.go().word == "Both done."
    assert told(it, "user") == ["Mind b, too."]
    before = (it.bench.directory / "journal.jsonl").read_bytes()
    lines = before.splitlines(keepends=True)
    (it.bench.directory / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    it.reopen()
    assert it.go().word == "Both done."


def test_what_was_said_too_late_is_read_in_next_turn(talk, monkeypatch):
    sent = Sent(monkeypatch)
    it = talk(line("Done.", n=1), line("I see.", n=2))
    it.go()
    it.engine.journal.append(Note("main", "message", "By the way."))
    it.say("And now this.")
    assert [words for role, words in sent[-1] if role == "user"][1:] == ["By the way.", "And now this."]


# Taken back


@pytest.mark.slow
def test_undo_and_redo_move_files_and_conversation(talk, monkeypatch):
    sent = Sent(monkeypatch)
    it = talk(
        line("Mend.", MEND, n=1),
        line("Mended.", n=2),
        line("Add.", DOUBLE, n=3),
        line("Added.", n=4),
        line("First.", n=5),
        line("Second.", n=6),
        line("Third.", n=7),
    )
    mended, added = it.go().exit.tree, it.say("Add double().").exit.tree
    undone = it.say("/undo", "undo")
    assert (undone.exit.kind, undone.exit.code, undone.exit.tree) == ("undone", 0, mended)
    assert told(it, "undo") == ["Undone: “Add double().”."]
    assert it.say("/redo", "undo").exit.tree == added
    it.say("What is there?", "plan")
    assert sent[-1][: len(sent[3])] == sent[3], "all is as it was, and lies in the cache"
    assert any("Add double()." in words for _, words in sent[-1])

    assert it.say("/undo 2", "undo").exit.tree == mended
    it.say("And now?", "plan")
    assert sent[-1][:-1] == [*sent[1], ("assistant", "Mended."), *sent[-1][len(sent[1]) + 1 : -1]]
    assert not any("double" in words for _, words in sent[-1])
    it.say("!ls double.py", "by-hand")
    assert "No such file" in it.steps[-1].observations[0].text
    assert it.say("/redo", "undo").exit.kind == "done", "something else was said since"
    assert told(it, "undo")[-1] == "There is nothing to redo."

    base = it.engine.run.base.tree
    assert it.say("/undo 9", "undo").exit.tree == base
    it.say("What is it about?")
    assert len(sent[-1]) == 2, "nothing was said before"
    assert sent[-1][1][1].startswith("<issue>\nWhat is it about?")


@pytest.mark.slow
def test_look_goes_with_turn_before_it(talk):
    it = talk(line("Mend.", MEND, n=1), line("Mended.", n=2))
    it.go()
    it.say("!ls", "by-hand")
    assert it.say("/undo", "undo").exit.tree == it.engine.run.base.tree
    it.say("/redo", "undo")
    it.say("!touch new.txt", "by-hand")
    after = it.say("/undo", "undo")
    assert "new.txt" not in it.engine.trees.files(after.exit.tree)
    assert "a + b" in it.file("calc.py")


# By hand


def test_model_reads_what_user_ran(talk, monkeypatch):
    sent = Sent(monkeypatch)
    it = talk(line("Hm.", n=1), line("I see it.", n=2))
    it.go()
    ran = it.say("!echo from afar; touch new.txt", "by-hand")
    assert (ran.exit.kind, ran.exit.code) == ("done", 0)
    it.say("", "by-hand")
    it.say("What was that?", "plan")
    assert any("The user called shell" in words and "from afar" in words for _, words in sent[-1])
    assert any("The user called run_tests" in words and "1 passed" in words for _, words in sent[-1])
    assert "new.txt" in it.engine.trees.files(it.steps[-1].tree)


def test_what_is_interrupted_by_hand_is_over(talk):
    it = talk(line("Hm.", n=1))
    it.go()
    next_turn(it.engine, "!touch new.txt", "by-hand", it.settings)
    it.heard = lambda engine, event: engine.cancel.set() if event.kind == "action" else None
    it.engine.cancel.set()
    ended = it.go()
    assert (ended.exit.kind, ended.patch.diff) == ("interrupted", "")


@pytest.mark.slow
def test_whole_gate_is_asked_for_by_name(talk):
    test = (
        "import unittest\n\nfrom calc import add\n\n\nclass CalcTest(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
    )
    it = talk(
        line("Mend.", MEND, n=1),
        line("Mended.", n=2),
        line("Test.", act("edit", path="tests/test_calc.py", old="", new=test), n=3),
        line("There.", n=4),
    )
    assert it.go().exit.kind == "unproven"
    first = it.say("", "prove")
    assert (first.exit.kind, first.exit.code) == ("unproven", 6)
    it.say("Add a test.")
    proven = it.say("", "prove")
    assert (proven.exit.kind, proven.exit.code) == ("verified", 0)
    assert proven.exit.verdict.tests
    assert (it.bench.directory / "proof.sh").exists()


@pytest.mark.slow
def test_conversation_is_made_short(talk, monkeypatch):
    sent = Sent(monkeypatch)
    it = talk(
        line("Mend.", MEND, n=1),
        line("Mended.", n=2),
        line("Let me look.", act("view", path="calc.py"), n=3),
        line("add() was mended in calc.py:2.", n=4),
        line("On we go.", n=5),
    )
    mended = it.go().exit.tree
    short = it.say("Mind the tests.", "compact")
    assert (short.exit.kind, short.exit.tree) == ("done", mended)
    it.say("Go on.", "plan")
    assert [role for role, _ in sent[-1]] == ["system", "user", "user"]
    assert "add() was mended in calc.py:2." in sent[-1][1][1]
    assert it.say("/undo 2", "undo").exit.tree == mended
    assert it.engine.context_share() is None


# What a turn may change


def test_in_plan_mode_nothing_is_changed(talk, monkeypatch):
    it = talk(
        line("Try.", MEND, act("shell", command="echo x > new.txt; echo y > old.tmp; echo z >> calc.py"), n=1),
        line("Hand in.", act("submit"), act("undo"), n=2),
        line("A plan.", n=3),
        strategy="plan",
    )
    ended = it.go()
    assert (ended.exit.kind, ended.patch.diff) == ("answered", "")
    edit, shell = it.steps[1].observations
    assert edit.text == "Not changed: in plan mode nothing is changed. Answer in words."
    assert shell.text.endswith("[Put back, since in plan mode nothing is changed: calc.py, new.txt]")
    assert [seen.ok for seen in it.steps[2].observations] == [False, False]
    assert it.engine.root().run("cat old.tmp; git status --short").text == "y\n", "what git ignores stays"


def test_only_folder_may_be_changed(talk):
    it = talk(
        line(
            "Both.",
            MEND,
            act("edit", path="./tests/new.py", old="", new="x = 1\n"),
            act("shell", command="rm words.py"),
            n=1,
        ),
        line("Done.", n=2),
        subtree="tests",
    )
    ended = it.go()
    assert [change.path for change in it.engine.trees.changed(ended.began, ended.exit.tree)] == ["tests/new.py"]
    mend, _, remove = it.steps[1].observations
    assert mend.text == "Not changed: only tests/ may be changed."
    assert remove.text.endswith("[Put back, since only tests/ may be changed: words.py]")


# What is seen, and kept


def test_pictures_come_with_words_of_their_turn(talk, monkeypatch):
    it = talk(line("Hm.", n=1), line("I see.", n=2))
    it.go()
    sent = Sent(monkeypatch)
    monkeypatch.setattr("agent.models.scripted.Scripted.images", True)
    it.say("Like this one.", "plan", images=("data:image/png;base64,AAAA",))
    pictured = [number for number, (_, words) in enumerate(sent[0]) if "data:image" in words]
    assert len(pictured) == 1
    assert "Like this one." in sent[0][pictured[0]][1]


def test_window_fills(talk, own_config):
    it = talk(
        line("Hm.", n=1, usage={"input_tokens": 9_000, "output_tokens": 1_000}),
        line("Yes.", n=2),
        models={"scripted": {"context": 100_000}},
    )
    assert it.engine.context_share() is None
    it.go()
    assert it.engine.context_share() == pytest.approx(0.1)


@pytest.mark.slow
def test_fork_of_later_turn_has_turns_before(talk):
    it = talk(line("Mend.", MEND, n=1), line("Mended.", n=2), line("Add.", DOUBLE, n=3), line("Added.", n=4))
    it.go()
    it.say("Add double().", max_steps=7)
    last = it.steps[-2]
    it.engine.close()
    found = find_origin(f"{it.bench.directory.name}@{last.n}", it.bench.settings)
    settings = fork_settings(found, state=it.bench.settings.state)
    assert settings.max_steps == 7
    directory = fork(found, settings)
    forked = reopen(directory, settings.state)
    try:
        trajectory = read(directory)
        assert [record.kind for record in trajectory.records if isinstance(record, Exit)] == ["unproven"]
        assert [turn.request for turn in trajectory.turns] == ["fix", "Add double()."]
        assert forked.settings.max_steps == 7
        ended = finished(forked)
        assert "double.py" in ended.patch.diff
    finally:
        forked.close()
