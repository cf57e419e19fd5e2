"""Events as the conversation shows them: resumed runs, streamed text and ends of turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.run_state.attempt_outcome import load_verdict
from agent.run_state.progress_event import ProgressEvent
from extensions.interactive.session.session_events import (
    Event,
    MessageEvent,
    ProgressReported,
    RunOpened,
    StatusChanged,
    StepRecorded,
)
from extensions.interactive.tui.event_views import RunReopened, picture_path, read_output, show, snapshot_event
from extensions.interactive.tui.widgets.conversation_items import Line, ModelText, UserMessage
from extensions.interactive.tui.widgets.outcome_items import ProofItem
from extensions.interactive.tui.widgets.restored_run import run_items
from extensions.interactive.tui.widgets.step_item import StepItem, no_outputs
from tests.extensions.interactive.tui.recorded_sessions import (
    FILES,
    RECORDED_SESSIONS,
    RecordedApp,
    step,
    turn_ended,
    turn_started,
    wait_until_idle,
)
from trajectories.records import Base, Exit, Issue, Note, Observation, Run, Step, Turn
from trajectories.trajectory import Trajectory
from trajectories.verdict import Verdict

RECORDS = (Run("fox", Issue("It fails."), "/r", Base("c", "t")), Turn("It fails.", "build"))
STEP = step(1, "I look.", ("view", {"path": "a.py"}, "x = 1", True))


def trajectory(*records: Any) -> Trajectory:
    result = Trajectory()
    for record in records:
        result.add(record)
    return result


def run_with_events(tmp_path: Path, interact: Callable[[RecordedApp, Callable[..., None]], None]) -> None:
    async def main() -> None:
        app = RecordedApp(RECORDED_SESSIONS["empty"], "dark", tmp_path)
        async with app.run_test(size=(100, 30)) as pilot:
            await wait_until_idle(pilot)
            session: Any = app.session

            def show_events(*events: Event | RunReopened) -> None:
                for event in events:
                    show(app, session, event)

            interact(app, show_events)

    asyncio.run(main())


def test_snapshot_event_copies_records_of_resumed_run() -> None:
    assert snapshot_event(RunOpened(trajectory(*RECORDS))) is None
    reopened = trajectory(*RECORDS, Note("main", "life", "begun"))
    snapshot = snapshot_event(RunOpened(reopened))
    assert isinstance(snapshot, RunReopened)
    reopened.add(STEP.reply)  # type: ignore[arg-type]
    reopened.add(STEP.step)
    assert len(snapshot.records) == 3, "later records have separate events"
    assert snapshot_event(STEP) is STEP


@pytest.mark.slow
def test_resumed_run_replaces_shown_items(tmp_path: Path) -> None:
    def interact(app: RecordedApp, show_events: Callable[..., None]) -> None:
        show_events(turn_started("Something else."), STEP)
        reopened = snapshot_event(RunOpened(trajectory(*RECORDS, Note("main", "life", "begun"), STEP.reply, STEP.step)))
        show_events(reopened)
        assert [type(item) for item in app.conversation.items] == [UserMessage, StepItem]
        assert app.conversation.items[0] == UserMessage("It fails.")

    run_with_events(tmp_path, interact)


def test_streamed_text_disappears_when_its_step_is_recorded(tmp_path: Path) -> None:
    def interact(app: RecordedApp, show_events: Callable[..., None]) -> None:
        show_events(
            turn_started("Look."),
            ProgressReported(ProgressEvent("delta", "main", "I lo")),
            ProgressReported(ProgressEvent("delta", "main", "ok.")),
        )
        assert app.conversation.live
        show_events(STEP)
        assert not app.conversation.live
        assert [type(item) for item in app.conversation.items] == [UserMessage, StepItem]

    run_with_events(tmp_path, interact)


def test_answer_is_not_repeated_at_end_of_turn(tmp_path: Path) -> None:
    def interact(app: RecordedApp, show_events: Callable[..., None]) -> None:
        app.session.engine = SimpleNamespace(  # type: ignore[union-attr, assignment]
            trajectory=trajectory(*RECORDS, STEP.reply, STEP.step), run=SimpleNamespace(id="fox")
        )
        show_events(STEP)
        count = len(app.conversation.items)
        show_events(turn_ended("answered", "I look."))
        assert len(app.conversation.items) == count
        app.session.engine = None  # type: ignore[union-attr]

    run_with_events(tmp_path, interact)


@pytest.mark.slow
def test_turn_shows_same_verdict_live_and_resumed(tmp_path: Path) -> None:
    doubt = "Another edit passes the same tests."
    parts = {"red": True, "green": True, "red_again": True, "no_loss": True, "notes": (doubt,)}
    observation = Observation("", False, data={"verdict": {"kind": "unproven", **parts}, "asked": {"doubt": doubt}})
    proof = Step("main", 1, "", "proof", "t", observations=(observation,))
    exit = Exit("unproven", 6, "t", load_verdict({"kind": "unproven", **parts}))
    records = (*RECORDS, Note("main", "life", "begun"), proof, exit)

    def interact(app: RecordedApp, show_events: Callable[..., None]) -> None:
        end = turn_ended("unproven", f"Tried.\n{doubt}\nA: x", exit.verdict)
        show_events(turn_started("It fails."), StepRecorded(proof, None), replace(end, proof=proof))
        live = app.conversation.items[-1]
        show_events(snapshot_event(RunOpened(trajectory(*records))))
        assert app.conversation.items[-1] == live
        assert isinstance(live, Line)
        assert live.text == "Unproven: all parts of the proof pass, but another edit passes the same tests."

    run_with_events(tmp_path, interact)


def test_proof_does_not_affect_verdict_of_next_turn() -> None:
    step_observation = Observation(
        "", False, data={"verdict": {"kind": "unproven", "no_loss": True}, "asked": {"reproduces": False}}
    )
    proof = Step("main", 1, "", "proof", "t", observations=(step_observation,))
    exit = Exit("unproven", 6, "t", Verdict("unproven", no_loss=True))
    *_, first, _, second = run_items([*RECORDS, proof, exit, Turn("More.", "build"), exit], Trajectory(), no_outputs)
    assert isinstance(first, Line)
    assert isinstance(second, Line)
    assert first.text.startswith("All tests that passed before still pass. The change is unproven")
    assert second.text.startswith("Unproven: no test fails without the change")


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\2\0\0\0\1"


def test_pictures_of_steps_and_changed_pages_are_files_of_run(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "7").write_bytes(PNG)
    (tmp_path / "out" / "8").write_bytes(b"<svg>")
    session: Any = SimpleNamespace(engine=SimpleNamespace(journal=SimpleNamespace(directory=tmp_path)))
    looks = tuple(Observation("", data={"picture": number}) for number in (7, 8, 9))
    look = replace(STEP.step, actions=STEP.step.actions * 3, observations=looks)
    page = {"path": "/", "width": 390, "dark": False, "unasked": ["a: red"], "before": 7, "difference": 8}
    data = {"verdict": {"kind": "unproven"}, "pages": [page | {"unasked": [], "asked": ["b: blue"]}, page]}
    proof = Step("main", 1, "", "proof", "t", observations=(Observation("", False, data=data),))
    file = partial(picture_path, session)
    _, shown, item = run_items([*RECORDS, look, proof], trajectory(*RECORDS), no_outputs, file)
    assert isinstance(shown, StepItem)
    assert isinstance(item, ProofItem)
    path = tmp_path / "pictures" / "7.png"
    assert shown.pictures == {0: str(path)}
    assert path.read_bytes() == PNG
    assert [entry.name for entry in path.parent.iterdir()] == ["7.png"], "nothing but pictures"
    assert item.pages == (
        ("/ at 390 px, not asked for: a: red", True, {"before": str(path)}),
        ("/ at 390 px, as asked: b: blue", False, {"before": str(path)}),
    )
    session.engine = None
    assert picture_path(session, 7) == ""


@pytest.mark.slow
def test_changed_files_stay_in_status_after_session_closes(tmp_path: Path) -> None:
    def interact(app: RecordedApp, show_events: Callable[..., None]) -> None:
        session: Any = app.session
        session.status = replace(session.status, files=FILES)
        show_events(StatusChanged())
        session.close = lambda: None
        app.action_leave()
        session.status = replace(session.status, files=())
        show_events(StatusChanged())
        assert app._status_shown is not None
        assert app._status_shown.files == FILES

    run_with_events(tmp_path, interact)


def test_message_adds_item_and_status_change_adds_none(tmp_path: Path) -> None:
    def interact(app: RecordedApp, show_events: Callable[..., None]) -> None:
        show_events(StatusChanged())
        assert app.conversation.items == []
        show_events(MessageEvent("No.", "error"))
        assert app.conversation.items == [ModelText("No.", "error")]

    run_with_events(tmp_path, interact)


def test_missing_output_is_empty(tmp_path: Path) -> None:
    session: Any = SimpleNamespace(engine=SimpleNamespace(journal=SimpleNamespace(directory=tmp_path)))
    assert read_output(session, 7) == ""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "7").write_bytes(b"caf\xc3\xa9 \xff")
    assert read_output(session, 7) == "café \N{REPLACEMENT CHARACTER}"
    assert read_output(SimpleNamespace(engine=None), 7) == ""  # type: ignore[arg-type]
