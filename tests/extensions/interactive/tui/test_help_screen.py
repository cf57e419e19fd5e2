"""The help screen: every key and every command."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static

from extensions.interactive.session.commands import summaries
from extensions.interactive.session.prompt_input.key_help import KEYS, SAME
from extensions.interactive.tui import theme
from extensions.interactive.tui.app import SessionApp
from extensions.interactive.tui.help_screen import HelpScreen, section_lines
from extensions.interactive.tui.widgets.prompt import Prompt
from tests.extensions.interactive.tui.session_states import run_app


class HelpApp(App[None]):
    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(HelpScreen(summaries()))


def test_help_lists_every_key() -> None:
    bound = {binding.key for binding in SessionApp.BINDINGS if isinstance(binding, Binding)}
    assert {key for key, _ in KEYS} == {SAME.get(key, key) for key in bound | set(Prompt()._actions)}


def test_help_lists_every_command() -> None:
    async def interact(pilot: Pilot[Any]) -> str:
        return str(pilot.app.screen.query_one("#text", Static).content)

    text = run_app(HelpApp(), interact)
    assert [usage for usage, *_ in summaries() if usage not in text] == []


@pytest.mark.parametrize("width", [30, 37, 57, 93])
def test_help_lines_fit_width(width: int) -> None:
    lines = [
        line.plain for line in section_lines("Commands", [(usage, help) for usage, help, *_ in summaries()], width)
    ]
    assert max(map(len, lines)) <= max(width, max(len(usage) for usage, *_ in summaries()))


@pytest.mark.parametrize("key", ["q", "escape", "f1"])
def test_help_scrolls_and_key_closes_it(key: str) -> None:
    async def interact(pilot: Pilot[Any]) -> tuple[bool, int]:
        await pilot.press("end", "j")
        await pilot.pause()
        text = pilot.app.screen.query_one("#text", Static)
        scrolled = text.region.y < 0
        await pilot.press(key)
        await pilot.pause()
        return scrolled, len(pilot.app.screen_stack)

    app = HelpApp()
    app.animation_level = "none"
    assert run_app(app, interact, (40, 20)) == (True, 1)
