"""The whole session app: where keys go, and the effect of a resize."""

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
from tests.agent.tui.recorded_sessions import (
    RECORDED_SESSIONS,
    THREE_STEPS,
    RecordedApp,
    RecordedSession,
    step,
    turn_ended,
    wait_until_idle,
)


def run_recorded_app(
    tmp_path: Path,
    interact: Callable[[RecordedApp, Pilot[Any]], Awaitable[None]],
    size: tuple[int, int] = (120, 30),
    recorded: RecordedSession = RECORDED_SESSIONS["long"],
) -> None:
    async def run() -> None:
        app = RecordedApp(recorded, "dark", tmp_path)
        async with app.run_test(size=size) as pilot:
            await wait_until_idle(pilot)
            await interact(app, pilot)

    asyncio.run(run())


@pytest.mark.slow
def test_letters_typed_in_conversation_go_to_prompt(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+o")
        assert app.focused is app.conversation
        await pilot.press("up", "down", "j", "g", "space", "x")
        assert app.prompt.entry.text == "jg x"

    run_recorded_app(tmp_path, interact)


@pytest.mark.slow
@pytest.mark.parametrize("selector", ["Entry", "Conversation", "#files"])
def test_keys_reach_prompt_wherever_focus_is(tmp_path: Path, selector: str) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        calls: list[str] = []
        app.session.interrupt = lambda: calls.append("interrupted")  # type: ignore[union-attr, method-assign]
        app.query_one(selector).focus()
        await pilot.press("escape")
        app.query_one(selector).focus()
        await pilot.press("h", "i")
        assert (app.prompt.entry.text, calls) == ("hi", ["interrupted"])
        app.query_one(selector).focus()
        await pilot.press("ctrl+c")
        assert app.prompt.entry.text == ""
        app.query_one(selector).focus()
        await pilot.press("tab", "tab")
        assert app.focused is app.prompt.entry
        app.query_one(selector).focus()
        app.session.close = lambda: calls.append("closed")  # type: ignore[union-attr, method-assign]
        await pilot.press("ctrl+d")
        assert app._leaving

    run_recorded_app(tmp_path, interact, recorded=RECORDED_SESSIONS["working"])


def test_unqueue_does_not_replace_typed_text(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        queue = ["later"]
        app.session.unqueue = lambda: queue.pop() if queue else ""  # type: ignore[union-attr, method-assign]
        app.prompt.put("typed since")
        app.prompt.post_message(Prompt.Unqueued())
        await pilot.pause()
        assert (app.prompt.entry.text, queue) == ("typed since", ["later"])
        app.prompt.put("")
        app.prompt.post_message(Prompt.Unqueued())
        await pilot.pause()
        assert (app.prompt.entry.text, queue) == ("later", [])

    run_recorded_app(tmp_path, interact)


def test_answer_is_not_repeated_when_next_turn_has_started(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        first, second = step(4, "All is done."), step(5, "And now the next.")
        replies = {("main", 4): first.reply}
        app.session.engine = SimpleNamespace(trajectory=SimpleNamespace(replies=replies))  # type: ignore
        posted: list[TurnEnded] = []
        app.event_queue.post = posted.append  # type: ignore[method-assign, assignment]
        app._post_event(turn_ended("unproven", "All is done.\n\nNo test failed."))
        replies["main", 5] = second.reply
        before = len(app.conversation.items)
        app.show_status = lambda: None  # type: ignore[method-assign]
        app._show_event(posted[0])
        shown = "".join(str(getattr(item, "text", "")) for item in app.conversation.items[before:])
        assert "No test failed." in shown
        assert "All is done." not in shown

    run_recorded_app(tmp_path, interact, recorded=RecordedSession(THREE_STEPS))


def test_panel_hides_on_narrow_screen_and_returns(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        assert app.panel.display
        await pilot.resize_terminal(40, 20)
        assert not app.panel.display
        await pilot.press("ctrl+b")
        await pilot.resize_terminal(60, 20)
        assert app.panel.display
        await pilot.resize_terminal(120, 30)
        assert app.panel.display

    run_recorded_app(tmp_path, interact)


def test_textual_theme_colours_all_text(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        app.theme = "textual-light"
        await pilot.pause()
        assert app.conversation.pen().style("text").color.triplet.hex == "#1f1f1f"  # type: ignore[union-attr]

    run_recorded_app(tmp_path, interact)
