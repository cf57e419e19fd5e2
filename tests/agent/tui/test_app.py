"""The session's app as a whole: where keys go, and what a new size does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tests.agent.tui.played import POINTS, Played, still


def played(
    tmp_path: Path, use: Callable[[Played, Pilot[Any]], Awaitable[None]], size: tuple[int, int] = (120, 30)
) -> None:
    async def run() -> None:
        app = Played(POINTS["long"], "dark", tmp_path)
        async with app.run_test(size=size) as pilot:
            await still(pilot)
            await use(app, pilot)

    asyncio.run(run())


def test_what_is_typed_at_a_step_is_the_prompts(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+o")
        assert app.focused is app.conversation
        await pilot.press("up", "down", "j", "g", "space", "x")
        assert app.prompt.entry.text == "jg x"

    played(tmp_path, use)


def test_the_panel_goes_where_there_is_no_room_and_comes_back(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        assert app.panel.display
        await pilot.resize_terminal(40, 20)
        assert not app.panel.display
        await pilot.press("ctrl+b")
        await pilot.resize_terminal(60, 20)
        assert app.panel.display
        await pilot.resize_terminal(120, 30)
        assert app.panel.display

    played(tmp_path, use)


def test_a_theme_of_textual_leaves_no_text_without_a_colour(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        app.theme = "textual-light"
        await pilot.pause()
        assert app.conversation.pen().style("text").color.triplet.hex == "#1f1f1f"  # type: ignore[union-attr]

    played(tmp_path, use)
