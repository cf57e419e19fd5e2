"""Events as the conversation shows them: a run that is taken up as it stood, what streamed once, endings once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.engine.engine import ProgressEvent
from agent.session.session_events import Event, MessageEvent, ProgressReported, RunOpened, StatusChanged, StepRecorded
from agent.tui.event_views import RunReopened, read_output, show, snapshot_event
from agent.tui.widgets.conversation_items import Line, ModelText, UserMessage
from agent.tui.widgets.restored_run import run_items
from agent.tui.widgets.step_item import StepItem, no_outputs
from tests.agent.tui.recorded_sessions import FILES, POINTS, Played, began, ended, step, still
from trajectories.records import Base, Exit, Issue, Note, Observation, Run, Step, Turn, Verdict
from trajectories.trajectory import Trajectory

RECORDS = (Run("fox", Issue("It fails."), "/r", Base("c", "t")), Turn("It fails.", "build"))
STEP = step(1, "I look.", ("view", {"path": "a.py"}, "x = 1", True))


def trajectory(*records: Any) -> Trajectory:
    found = Trajectory()
    for record in records:
        found.add(record)
    return found


def shown(tmp_path: Path, use: Callable[[Played, Callable[..., None]], None]) -> None:
    async def main() -> None:
        app = Played(POINTS["empty"], "dark", tmp_path)
        async with app.run_test(size=(100, 30)) as pilot:
            await still(pilot)
            session: Any = app.session

            def tell(*happened: Event | RunReopened) -> None:
                for event in happened:
                    show(app, session, event)

            use(app, tell)

    asyncio.run(main())


def test_new_run_shows_itself_and_one_that_is_taken_up_stands_as_it_stood() -> None:
    assert snapshot_event(RunOpened(trajectory(*RECORDS))) is None
    reopened = trajectory(*RECORDS, Note("main", "life", "begun"))
    kept = snapshot_event(RunOpened(reopened))
    assert isinstance(kept, RunReopened)
    reopened.add(STEP.reply)  # type: ignore[arg-type]
    reopened.add(STEP.step)
    assert len(kept.records) == 3, "what came later is told by its own event"
    assert snapshot_event(STEP) is STEP


def test_run_that_is_taken_up_takes_place_of_what_stood_there(tmp_path: Path) -> None:
    def use(app: Played, tell: Callable[..., None]) -> None:
        tell(began("Something else."), STEP)
        reopened = snapshot_event(RunOpened(trajectory(*RECORDS, Note("main", "life", "begun"), STEP.reply, STEP.step)))
        tell(reopened)
        assert [type(item) for item in app.conversation.items] == [UserMessage, StepItem]
        assert app.conversation.items[0] == UserMessage("It fails.")

    shown(tmp_path, use)


def test_what_streamed_goes_when_its_step_comes(tmp_path: Path) -> None:
    def use(app: Played, tell: Callable[..., None]) -> None:
        tell(
            began("Look."),
            ProgressReported(ProgressEvent("delta", "main", "I lo")),
            ProgressReported(ProgressEvent("delta", "main", "ok.")),
        )
        assert app.conversation.live
        tell(STEP)
        assert not app.conversation.live
        assert [type(item) for item in app.conversation.items] == [UserMessage, StepItem]

    shown(tmp_path, use)


def test_answer_is_not_told_again_at_end(tmp_path: Path) -> None:
    def use(app: Played, tell: Callable[..., None]) -> None:
        app.session.engine = SimpleNamespace(  # type: ignore[union-attr, assignment]
            trajectory=trajectory(*RECORDS, STEP.reply, STEP.step), run=SimpleNamespace(id="fox")
        )
        tell(STEP)
        count = len(app.conversation.items)
        tell(ended("answered", "I look."))
        assert len(app.conversation.items) == count
        app.session.engine = None  # type: ignore[union-attr]

    shown(tmp_path, use)


@pytest.mark.slow
def test_turn_ends_with_same_verdict_live_and_taken_up_again(tmp_path: Path) -> None:
    doubt = "Another edit passes the same tests."
    parts = {"red": True, "green": True, "red_again": True, "no_loss": True, "notes": (doubt,)}
    seen = Observation("", False, data={"verdict": {"kind": "unproven", **parts}, "asked": {"doubt": doubt}})
    proof = Step("main", 1, "", "proof", "t", observations=(seen,))
    exit = Exit("unproven", 6, "t", Verdict("unproven", **parts))
    records = (*RECORDS, Note("main", "life", "begun"), proof, exit)

    def use(app: Played, tell: Callable[..., None]) -> None:
        over = ended("unproven", f"Tried.\n{doubt}\nA: x", exit.verdict)
        tell(began("It fails."), StepRecorded(proof, None), replace(over, proof=proof))
        live = app.conversation.items[-1]
        tell(snapshot_event(RunOpened(trajectory(*records))))
        assert app.conversation.items[-1] == live
        assert isinstance(live, Line)
        assert live.text == "Not verified: all parts of the proof pass, but another edit passes the same tests."

    shown(tmp_path, use)


def test_proof_says_nothing_of_next_turn() -> None:
    lost = Observation(
        "", False, data={"verdict": {"kind": "unproven", "no_loss": True}, "asked": {"reproduces": False}}
    )
    proof = Step("main", 1, "", "proof", "t", observations=(lost,))
    exit = Exit("unproven", 6, "t", Verdict("unproven", no_loss=True))
    *_, first, _, second = run_items([*RECORDS, proof, exit, Turn("More.", "build"), exit], {}, no_outputs)
    assert isinstance(first, Line)
    assert isinstance(second, Line)
    assert first.text.startswith("All tests that passed before still pass. The change is not verified")
    assert second.text.startswith("Not verified: the files are changed")


def test_what_was_changed_is_still_known_when_session_has_let_go_of_it(tmp_path: Path) -> None:
    def use(app: Played, tell: Callable[..., None]) -> None:
        session: Any = app.session
        session.status = replace(session.status, files=FILES)
        tell(StatusChanged())
        session.close = lambda: None
        app.action_leave()
        session.status = replace(session.status, files=())
        tell(StatusChanged())
        assert app._status_shown is not None
        assert app._status_shown.files == FILES

    shown(tmp_path, use)


def test_what_changes_only_status_adds_nothing_and_what_is_told_does(tmp_path: Path) -> None:
    def use(app: Played, tell: Callable[..., None]) -> None:
        tell(StatusChanged())
        assert app.conversation.items == []
        tell(MessageEvent("No.", "error"))
        assert app.conversation.items == [ModelText("No.", "error")]

    shown(tmp_path, use)


def test_output_that_is_not_there_is_empty(tmp_path: Path) -> None:
    session: Any = SimpleNamespace(engine=SimpleNamespace(journal=SimpleNamespace(directory=tmp_path)))
    assert read_output(session, 7) == ""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "7").write_bytes(b"caf\xc3\xa9 \xff")
    assert read_output(session, 7) == "café \N{REPLACEMENT CHARACTER}"
    assert read_output(SimpleNamespace(engine=None), 7) == ""  # type: ignore[arg-type]
