"""The screen for choosing one of a few options, and the dialogs that use it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import OptionList

from extensions.interactive.session import model_choice
from extensions.interactive.session.model_choice import ModelOffer
from extensions.interactive.tui import approval_screen, theme
from extensions.interactive.tui.choice_screen import ChoiceScreen
from extensions.interactive.tui.dialogs import Dialogs
from tests.extensions.interactive.tui.session_states import run_app

OPTIONS = [("one", "the [first]"), ("two\x1b[2J", "the second")]


class ChoiceApp(App[None]):
    def __init__(self, screen: ChoiceScreen | None = None) -> None:
        super().__init__()
        self.dialogs = Dialogs(self, lambda height: None)
        self._choice = screen
        self.chosen: list[int | None] = []

    def on_mount(self) -> None:
        theme.register(self, "dark")
        if self._choice is not None:
            self.push_screen(self._choice, self.chosen.append)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.press(*keys)
    await pilot.pause()


@pytest.mark.parametrize(("keys", "chosen"), [(["enter"], 0), (["down", "enter"], 1), (["escape"], None)])
def test_option_is_chosen_with_keys(monkeypatch: pytest.MonkeyPatch, keys: list[str], chosen: int | None) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    app = ChoiceApp(ChoiceScreen("Which?", "Words", lambda: OPTIONS))
    run_app(app, lambda pilot: press(pilot, *keys))
    assert app.chosen == [chosen]


def test_early_keys_choose_nothing() -> None:
    app = ChoiceApp(ChoiceScreen("Which?", "Words", lambda: OPTIONS, clock=lambda: 5.0))
    run_app(app, lambda pilot: press(pilot, "enter", "escape", "enter"))
    assert app.chosen == []


def test_options_are_shown_without_markup_and_control_characters() -> None:
    app = ChoiceApp(ChoiceScreen("Which?", "Words", lambda: OPTIONS))

    async def interact(pilot: Pilot[Any]) -> list[str]:
        await press(pilot)
        listed = app.screen.query_one(OptionList)
        return [str(listed.get_option_at_index(at).prompt) for at in range(listed.option_count)]

    first, second = run_app(app, interact)
    assert first.split() == ["one", "the", "[first]"]
    assert "\x1b" not in second


OFFER = ModelOffer("openai/qwen3:8b", "here", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(("keys", "chosen"), [(["enter"], [OFFER]), (["down", "enter"], [None]), (["escape"], [])])
def test_choice_of_model_reaches_session(
    monkeypatch: pytest.MonkeyPatch, keys: list[str], chosen: list[ModelOffer | None]
) -> None:
    accepted: list[ModelOffer | None] = []
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    monkeypatch.setattr(model_choice, "find_offers", lambda: [OFFER])
    monkeypatch.setattr(model_choice, "accept_offer", lambda session, offer: accepted.append(offer))
    app = ChoiceApp()

    async def interact(pilot: Pilot[Any]) -> None:
        app.dialogs.models(cast(Any, SimpleNamespace()))
        await pilot.pause()
        await press(pilot, *keys)

    run_app(app, interact)
    assert accepted == chosen


@pytest.mark.parametrize(("keys", "chosen"), [(["enter"], [False]), (["down", "enter"], [True]), (["escape"], [])])
def test_answer_about_price_reaches_session(
    monkeypatch: pytest.MonkeyPatch, keys: list[str], chosen: list[bool]
) -> None:
    accepted: list[bool] = []
    monkeypatch.setattr(approval_screen, "GRACE", 0.0)
    monkeypatch.setattr(model_choice, "accept_price", lambda session, model, is_free: accepted.append(is_free))
    app = ChoiceApp()

    async def interact(pilot: Pilot[Any]) -> None:
        app.dialogs.price(cast(Any, SimpleNamespace()), "openai/mine", "No price is known.")
        await pilot.pause()
        await press(pilot, *keys)

    run_app(app, interact)
    assert accepted == chosen
