"""The screen for a multiple-choice question of the model."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from agent.permissions.approvals import Answer, Approval
from extensions.interactive.tui import theme
from extensions.interactive.tui.approval_screen import GRACE
from extensions.interactive.tui.question_screen import QuestionScreen
from tests.extensions.interactive.tui.session_states import run_app

LONG = "half up, as in bills and most contracts, which is what people expect who never heard of banker's rounding"
ASKED = Approval("question", "How are [red]halves\x1b[2J rounded?", choices=("half to even", LONG, "down"))


class QuestionApp(App[None]):
    """An app with one question; its clock only advances with `wait`."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Answer | None] = []
        self.now = 100.0

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(QuestionScreen(ASKED, lambda: self.now), self.answers.append)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], Answer(True, chosen=(0,))),
        (["down", "enter"], Answer(True, chosen=(1,))),
        (["tab", "u", "p", "enter"], Answer(True, reason="up")),
        (["tab", "enter"], None),
        (["escape"], Answer(False)),
    ],
)
def test_keys_give_answer(keys: list[str], answer: Answer | None) -> None:
    app = QuestionApp()

    async def interact(pilot: Pilot[Any]) -> None:
        app.now += GRACE
        await pilot.press(*keys)
        await pilot.pause()

    run_app(app, interact)
    assert app.answers == ([answer] if answer else [])


def test_early_keys_give_no_answer() -> None:
    app = QuestionApp()
    run_app(app, lambda pilot: pilot.press("enter", "escape", "enter"))
    assert app.answers == []


@pytest.mark.parametrize("size", [(80, 24), (40, 20)])
def test_whole_question_fits_on_small_screen(size: tuple[int, int]) -> None:
    app = QuestionApp()

    async def interact(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        box, listed = app.screen.query_one("#question"), app.screen.query_one(OptionList)
        assert box.region.bottom <= size[1]
        assert listed.size.height == listed.virtual_size.height  # no option is cut
        assert str(app.screen.query_one("#title", Static).content) == "How are [red]halves^[[2J rounded?"
        assert app.screen.query_one("#keys").region.height == 1

    run_app(app, interact, size)
