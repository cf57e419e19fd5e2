"""Applying changes in a real session, with a scripted model in a local workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.permissions.approvals import Answer
from extensions.interactive.session.applied_changes import pending_user_changes
from extensions.interactive.session.session import Session
from extensions.interactive.session.session_events import (
    Event,
    MessageEvent,
    QuestionAnswered,
    QuestionAsked,
    StepRecorded,
    TurnEnded,
    TurnStopped,
)
from extensions.interactive.session.session_start import Start
from tests.extensions.interactive.session.scripted_session import calls, says

pytestmark = pytest.mark.slow


class ScriptedSession:
    """A session with a scripted model, whose user answers yes to every question."""

    def __init__(self, root: Path, state: Path, replies: list[tuple[str, list[dict]]], run: Path | None = None) -> None:
        script = state.parent / "script.jsonl"
        lines = [{"n": n, "reply": {"text": text, "actions": actions}} for n, (text, actions) in enumerate(replies, 1)]
        script.write_text("\n".join(map(json.dumps, lines)))
        settings = Settings(
            model=f"scripted:{script}", workspace="local", state=state, budget=None, max_tokens=10**6, update_tests=True
        )
        self.events: list[Event] = []
        self.session = Session(Start(Repository.open(root), settings, run=run), self.receive)
        self.session.open()

    def receive(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, QuestionAsked):
            self.session.answer(event.approval.id, Answer(True))

    def say(self, words: str) -> list[Event]:
        before = len(self.events)
        self.session.say(words)
        self.wait_until_idle()
        return self.events[before:]

    def wait_until_idle(self) -> None:
        """Wait until everything requested is done."""
        done = Flag()
        self.session.later("", done.set)
        assert done.wait(100)

    def messages(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, MessageEvent)]


def edit(path: str, content: str) -> dict:
    return {"tool": "edit", "arguments": {"path": path, "old": "", "new": content}}


@pytest.fixture
def open_scripted_session(tmp_path: Path, make_repo) -> Iterator:
    root = make_repo({"calc.py": "def add(a, b):\n    return a + b\n", "notes.txt": "one\ntwo\nthree\nfour\nfive\n"})
    opened: list[ScriptedSession] = []

    def open_session(*replies: tuple[str, list[dict]], run: Path | None = None) -> ScriptedSession:
        opened.append(ScriptedSession(root, tmp_path / "state", list(replies), run))
        return opened[-1]

    yield root, open_session
    for scripted in opened:
        scripted.session.close()


def test_edits_of_user_and_session_are_merged(open_scripted_session) -> None:
    root, open_session = open_scripted_session
    scripted = open_session(
        ("Adding.", [edit("sub.py", "def sub(a, b):\n    return a - b\n")]),
        ("Done.", []),
        ("More.", [edit("mul.py", "def mul(a, b):\n    return a * b\n")]),
        ("Done again.", []),
    )
    scripted.say("Add sub")
    scripted.say("/apply")
    assert (root / "sub.py").read_text() == "def sub(a, b):\n    return a - b\n"
    (root / "notes.txt").write_text("one\nMINE\nthree\nfour\nfive\n")
    scripted.session.check_user_changes()
    scripted.wait_until_idle()
    assert scripted.session.status.edited == ("notes.txt",)
    events = scripted.say("Add mul")
    assert not [event for event in events if isinstance(event, TurnStopped)]
    steps = [event.step for event in events if isinstance(event, StepRecorded)]
    assert steps[0].author == "host"
    assert "M notes.txt" in steps[0].observations[0].text
    assert not any(isinstance(event, TurnStopped) for event in scripted.events)
    scripted.say("!cat notes.txt")
    last_step = [event.step for event in scripted.events if isinstance(event, StepRecorded)][-1]
    assert "MINE" in last_step.observations[0].text
    (diff,) = [event for event in scripted.say("/diff") if isinstance(event, MessageEvent)]
    assert diff.title == "Not applied yet: 1 file, +2 -0"
    scripted.say("/undo 2")
    assert any("Your own files still have" in text for text in scripted.messages())
    events = scripted.say("/apply")
    assert [event.approval.subject for event in events if isinstance(event, QuestionAnswered)] == ["sub.py"]
    assert not (root / "sub.py").exists()
    assert (root / "notes.txt").read_text() == "one\nMINE\nthree\nfour\nfive\n"


def test_resumed_session_can_apply_earlier_changes(open_scripted_session) -> None:
    root, open_session = open_scripted_session
    scripted = open_session(("Adding.", [edit("sub.py", "x = 1\n")]), ("Done.", []))
    scripted.say("Add sub")
    directory = scripted.session.engine.journal.directory
    scripted.session.close()
    resumed = open_session(("Adding.", [edit("sub.py", "x = 1\n")]), ("Done.", []), run=directory)
    resumed.say("/apply")
    assert (root / "sub.py").read_text() == "x = 1\n"
    turn_ends = [event for event in resumed.say("!true") if isinstance(event, TurnEnded)]
    assert turn_ends


def test_fork_knows_applied_changes(open_scripted_session) -> None:
    root, open_session = open_scripted_session
    scripted = open_session(
        ("Adding.", [edit("sub.py", "def sub(a, b):\n    return a - b\n")]), ("Done.", []), ("Yes.", [])
    )
    scripted.say("Add sub")
    scripted.say("/apply")
    assert (root / "sub.py").exists()
    scripted.say("/fork")
    engine = scripted.session.engine
    assert engine
    assert pending_user_changes(scripted.session.engine) == ()
    assert scripted.session.status.files == ()
    scripted.say("Is it there?")
    assert [step.author for step in engine.trajectory.steps["main"]].count("host") == 0
    scripted.say("/apply --undo")
    assert not (root / "sub.py").exists()


def test_undo_names_applied_changes_that_it_leaves_in_lines_of_the_user(talk, make_repo):
    root = make_repo({"notes.txt": "one\ntwo\n"})
    first = says("Zero.", calls("edit", path="notes.txt", old="one\n", new="zero\none\n"), n=1)
    second = says("Merged.", calls("edit", path="notes.txt", old="zero\none\n", new="zero\nONE\n"), n=3)
    talk = talk([first, says("Done.", n=2), second, says("Done.")], root=root).say("Count from zero")
    (root / "notes.txt").write_text("ONE\ntwo\n")
    talk.say("/apply").say("Merge it").say("/apply")
    assert (root / "notes.txt").read_text() == "zero\nONE\ntwo\n"
    assert any(one.startswith("Applied changes stay in notes.txt") for one in talk.say("/undo 2").messages)
