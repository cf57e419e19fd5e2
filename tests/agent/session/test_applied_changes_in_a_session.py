"""Applying as a user does it: in a real session, with a scripted model in a local workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.permissions.approvals import Answer
from agent.session.applied_changes import pending_user_changes
from agent.session.session import Session, Start
from agent.session.session_events import (
    Event,
    MessageEvent,
    QuestionAnswered,
    QuestionAsked,
    StepRecorded,
    TurnEnded,
    TurnStopped,
)

pytestmark = pytest.mark.slow


class Seat:
    """A user who says yes to all that is asked, at a session whose model follows a script."""

    def __init__(self, root: Path, state: Path, replies: list[tuple[str, list[dict]]], run: Path | None = None) -> None:
        script = state.parent / "script.jsonl"
        lines = [{"n": n, "reply": {"text": text, "actions": acts}} for n, (text, acts) in enumerate(replies, 1)]
        script.write_text("\n".join(map(json.dumps, lines)))
        settings = Settings(
            model=f"scripted:{script}", workspace="local", state=state, budget=None, max_tokens=10**6, update_tests=True
        )
        self.heard: list[Event] = []
        self.session = Session(Start(Repository.open(root), settings, run=run), self.hear)
        self.session.open()

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        if isinstance(event, QuestionAsked):
            self.session.answer(event.approval.id, Answer(True))

    def say(self, words: str) -> list[Event]:
        before = len(self.heard)
        self.session.say(words)
        self.settle()
        return self.heard[before:]

    def settle(self) -> None:
        """Until all that was asked for is done."""
        done = Flag()
        self.session.later("", done.set)
        assert done.wait(100)

    def told(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, MessageEvent)]


def edit(path: str, content: str) -> dict:
    return {"tool": "edit", "arguments": {"path": path, "old": "", "new": content}}


@pytest.fixture
def seats(tmp_path: Path, make_repo) -> Iterator:
    root = make_repo({"calc.py": "def add(a, b):\n    return a + b\n", "notes.txt": "one\ntwo\nthree\nfour\nfive\n"})
    opened: list[Seat] = []

    def sit(*replies: tuple[str, list[dict]], run: Path | None = None) -> Seat:
        opened.append(Seat(root, tmp_path / "state", list(replies), run))
        return opened[-1]

    yield root, sit
    for seat in opened:
        seat.session.close()


def test_day_with_edits_on_both_sides(seats) -> None:
    root, sit = seats
    seat = sit(
        ("Adding.", [edit("sub.py", "def sub(a, b):\n    return a - b\n")]),
        ("Done.", []),
        ("More.", [edit("mul.py", "def mul(a, b):\n    return a * b\n")]),
        ("Done again.", []),
    )
    seat.say("Add sub")
    seat.say("/apply")
    assert (root / "sub.py").read_text() == "def sub(a, b):\n    return a - b\n"
    (root / "notes.txt").write_text("one\nMINE\nthree\nfour\nfive\n")
    seat.session.look_out()
    seat.settle()
    assert seat.session.status.edited == ("notes.txt",)
    events = seat.say("Add mul")
    assert not [event for event in events if isinstance(event, TurnStopped)]
    steps = [event.step for event in events if isinstance(event, StepRecorded)]
    assert steps[0].author == "host"
    assert "M notes.txt" in steps[0].observations[0].text
    assert not any(isinstance(event, TurnStopped) for event in seat.heard)
    seat.say("!cat notes.txt")
    shown = [event.step for event in seat.heard if isinstance(event, StepRecorded)][-1]
    assert "MINE" in shown.observations[0].text
    (diff,) = [event for event in seat.say("/diff") if isinstance(event, MessageEvent)]
    assert diff.title == "Not applied yet: 1 file, +2 -0"
    seat.say("/undo 2")
    assert any("Your own files still have" in text for text in seat.told())
    events = seat.say("/apply")
    assert [event.approval.subject for event in events if isinstance(event, QuestionAnswered)] == ["sub.py"]
    assert not (root / "sub.py").exists()
    assert (root / "notes.txt").read_text() == "one\nMINE\nthree\nfour\nfive\n"


def test_session_that_is_taken_up_again_goes_on_where_it_was(seats) -> None:
    root, sit = seats
    seat = sit(("Adding.", [edit("sub.py", "x = 1\n")]), ("Done.", []))
    seat.say("Add sub")
    directory = seat.session.engine.journal.directory
    seat.session.close()
    again = sit(("Adding.", [edit("sub.py", "x = 1\n")]), ("Done.", []), run=directory)
    again.say("/apply")
    assert (root / "sub.py").read_text() == "x = 1\n"
    ended = [event for event in again.say("!true") if isinstance(event, TurnEnded)]
    assert ended


def test_fork_knows_what_was_applied(seats) -> None:
    root, sit = seats
    seat = sit(("Adding.", [edit("sub.py", "def sub(a, b):\n    return a - b\n")]), ("Done.", []), ("Yes.", []))
    seat.say("Add sub")
    seat.say("/apply")
    assert (root / "sub.py").exists()
    seat.say("/fork")
    engine = seat.session.engine
    assert engine
    assert pending_user_changes(seat.session) == ()
    assert seat.session.status.files == ()
    seat.say("Is it there?")
    assert [step.author for step in engine.trajectory.steps["main"]].count("host") == 0
    seat.say("/apply --undo")
    assert not (root / "sub.py").exists()
