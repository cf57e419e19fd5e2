"""Dialogs over the conversation that a session opens and closes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from textual.app import App
from textual.pilot import Pilot

from agent.permissions.approvals import Answer
from extensions.interactive.session.session import Session
from extensions.interactive.tui import approval_screen, theme
from extensions.interactive.tui.app import SessionApp
from extensions.interactive.tui.dialogs import Dialogs
from tests.extensions.interactive.tui.session_states import run_app
from tests.extensions.interactive.tui.test_approval_screen import APPLY


class AnswerRecorder:
    """A session that records its answers."""

    def __init__(self) -> None:
        self.received: list[tuple[int, Answer]] = []

    def answer(self, id: int, answer: Answer) -> bool:
        self.received.append((id, answer))
        return True


class DialogApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.dialogs = Dialogs(cast(SessionApp, self), lambda height: None)
        self.session = AnswerRecorder()

    def on_mount(self) -> None:
        theme.register(self, "dark")

    def show_approval(self) -> None:
        self.dialogs.ask(cast(Session, self.session), APPLY)


@pytest.mark.slow
def test_question_closes_choice_first(monkeypatch: Any) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    app = DialogApp()

    async def interact(pilot: Pilot[Any]) -> int:
        app.dialogs.price(cast(Session, app.session), "openai/mine", "No price is known.")
        await pilot.pause()
        app.show_approval()
        await pilot.pause()
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        await pilot.pause()
        return len(app.screen_stack)

    assert run_app(app, interact) == 1
    assert app.session.received == [(APPLY.id, Answer(False))]


@pytest.mark.slow
def test_answer_goes_to_session(monkeypatch: Any) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    app = DialogApp()

    async def interact(pilot: Pilot[Any]) -> int:
        app.show_approval()
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        return len(app.screen_stack)

    assert run_app(app, interact) == 1
    assert app.session.received == [(APPLY.id, Answer(True))]


@pytest.mark.slow
def test_approval_answered_elsewhere_closes_its_screens(monkeypatch: Any) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    app = DialogApp()

    async def interact(pilot: Pilot[Any]) -> list[int]:
        app.show_approval()
        await pilot.pause()
        await pilot.press("h")
        await pilot.pause()
        depths = [len(app.screen_stack)]
        app.dialogs.answered(APPLY.id + 1)
        await pilot.pause()
        depths.append(len(app.screen_stack))
        app.dialogs.answered(APPLY.id)
        await pilot.pause()
        app.dialogs.answered(APPLY.id)
        return [*depths, len(app.screen_stack)]

    assert run_app(app, interact) == [3, 3, 1]
    assert app.session.received == []
