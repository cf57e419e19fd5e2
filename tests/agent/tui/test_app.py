"""The session's app as a whole: where keys go, and what a new size does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from agent.session.session_events import TurnEnded
from agent.tui.widgets.prompt import Prompt
from tests.agent.tui.recorded_sessions import POINTS, WORKED, Played, Point, ended, step, still


def played(
    tmp_path: Path,
    use: Callable[[Played, Pilot[Any]], Awaitable[None]],
    size: tuple[int, int] = (120, 30),
    point: Point = POINTS["long"],
) -> None:
    async def run() -> None:
        app = Played(point, "dark", tmp_path)
        async with app.run_test(size=size) as pilot:
            await still(pilot)
            await use(app, pilot)

    asyncio.run(run())


@pytest.mark.slow
def test_what_is_typed_at_step_is_prompts(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+o")
        assert app.focused is app.conversation
        await pilot.press("up", "down", "j", "g", "space", "x")
        assert app.prompt.entry.text == "jg x"

    played(tmp_path, use)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["Entry", "Conversation", "#files"])
def test_keys_reach_prompt_wherever_focus_is(tmp_path: Path, where: str) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        done: list[str] = []
        app.session.interrupt = lambda: done.append("interrupted")  # type: ignore[union-attr, method-assign]
        app.query_one(where).focus()
        await pilot.press("escape")
        app.query_one(where).focus()
        await pilot.press("h", "i")
        assert (app.prompt.entry.text, done) == ("hi", ["interrupted"])
        app.query_one(where).focus()
        await pilot.press("ctrl+c")
        assert app.prompt.entry.text == ""
        app.query_one(where).focus()
        await pilot.press("tab", "tab")
        assert app.focused is app.prompt.entry
        app.query_one(where).focus()
        app.session.close = lambda: done.append("closed")  # type: ignore[union-attr, method-assign]
        await pilot.press("ctrl+d")
        assert app._leaving

    played(tmp_path, use, point=POINTS["working"])


def test_up_takes_nothing_from_what_is_typed(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        waiting = ["later"]
        app.session.unqueue = lambda: waiting.pop() if waiting else ""  # type: ignore[union-attr, method-assign]
        app.prompt.put("typed since")
        app.prompt.post_message(Prompt.Unqueued())
        await pilot.pause()
        assert (app.prompt.entry.text, waiting) == ("typed since", ["later"])
        app.prompt.put("")
        app.prompt.post_message(Prompt.Unqueued())
        await pilot.pause()
        assert (app.prompt.entry.text, waiting) == ("later", [])

    played(tmp_path, use)


def test_answer_is_not_repeated_when_next_turn_has_begun_meanwhile(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        first, second = step(4, "All is done."), step(5, "And now the next.")
        replies = {("main", 4): first.reply}
        app.session.engine = SimpleNamespace(trajectory=SimpleNamespace(replies=replies))  # type: ignore
        told: list[TurnEnded] = []
        app.event_queue.post = told.append  # type: ignore[method-assign, assignment]
        app._post_event(ended("unproven", "All is done.\n\nNo test failed."))
        replies["main", 5] = second.reply
        before = len(app.conversation.items)
        app.show_status = lambda: None  # type: ignore[method-assign]
        app._show_event(told[0])
        shown = "".join(str(getattr(item, "text", "")) for item in app.conversation.items[before:])
        assert "No test failed." in shown
        assert "All is done." not in shown

    played(tmp_path, use, point=Point(WORKED))


def test_panel_goes_where_there_is_no_room_and_comes_back(tmp_path: Path) -> None:
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


def test_theme_of_textual_leaves_no_text_without_colour(tmp_path: Path) -> None:
    async def use(app: Played, pilot: Pilot[Any]) -> None:
        app.theme = "textual-light"
        await pilot.pause()
        assert app.conversation.pen().style("text").color.triplet.hex == "#1f1f1f"  # type: ignore[union-attr]

    played(tmp_path, use)
