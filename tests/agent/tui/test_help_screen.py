"""The help screen tells every key that there is, and every command."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static

from agent.session.commands import summaries
from agent.tui import theme
from agent.tui.app import SessionApp
from agent.tui.help_screen import KEYS, SAME, HelpScreen, section_lines
from agent.tui.widgets.prompt import Prompt
from tests.agent.tui.session_states import running


class Shown(App[None]):
    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(HelpScreen(summaries()))


def test_every_key_is_told() -> None:
    bound = {binding.key for binding in SessionApp.BINDINGS if isinstance(binding, Binding)}
    assert {key for key, _ in KEYS} == {SAME.get(key, key) for key in bound | set(Prompt()._actions)}


def test_it_tells_every_command() -> None:
    async def look(pilot: Pilot[Any]) -> str:
        return str(pilot.app.screen.query_one("#text", Static).content)

    told = running(Shown(), look)
    assert [usage for usage, *_ in summaries() if usage not in told] == []


@pytest.mark.parametrize("width", [30, 37, 57, 93])
def test_lines_fit(width: int) -> None:
    lines = [
        line.plain for line in section_lines("Commands", [(usage, what) for usage, what, *_ in summaries()], width)
    ]
    assert max(map(len, lines)) <= max(width, max(len(usage) for usage, *_ in summaries()))


@pytest.mark.parametrize("key", ["q", "escape", "f1"])
def test_it_scrolls_and_closes(key: str) -> None:
    async def look(pilot: Pilot[Any]) -> tuple[bool, int]:
        await pilot.press("end", "j")
        await pilot.pause()
        text = pilot.app.screen.query_one("#text", Static)
        scrolled = text.region.y < 0
        await pilot.press(key)
        await pilot.pause()
        return scrolled, len(pilot.app.screen_stack)

    app = Shown()
    app.animation_level = "none"
    assert running(app, look, (40, 20)) == (True, 1)
