"""Questions over the conversation, as a session asks them and as they end."""

from __future__ import annotations

from typing import Any, cast

from textual.app import App
from textual.pilot import Pilot

from agent.permissions.approvals import Answer
from agent.session.session import Session
from agent.tui import approval_screen, theme
from agent.tui.app import SessionApp
from agent.tui.dialogs import Dialogs
from tests.agent.tui.session_states import running
from tests.agent.tui.test_approval_screen import APPLY


class Answers:
    """What a session is told."""

    def __init__(self) -> None:
        self.given: list[tuple[int, Answer]] = []

    def answer(self, id: int, answer: Answer) -> bool:
        self.given.append((id, answer))
        return True


class Asking(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.dialogs = Dialogs(cast(SessionApp, self))
        self.session = Answers()

    def on_mount(self) -> None:
        theme.register(self, "dark")

    def ask(self) -> None:
        self.dialogs.ask(cast(Session, self.session), APPLY)


def test_answer_goes_to_session(monkeypatch: Any) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    app = Asking()

    async def look(pilot: Pilot[Any]) -> int:
        app.ask()
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        return len(app.screen_stack)

    assert running(app, look) == 1
    assert app.session.given == [(APPLY.id, Answer(True))]


def test_question_that_ended_otherwise_closes_with_what_is_open_over_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    app = Asking()

    async def look(pilot: Pilot[Any]) -> list[int]:
        app.ask()
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

    assert running(app, look) == [3, 3, 1]
    assert app.session.given == []
