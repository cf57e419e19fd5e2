"""The whole session app: where keys go, and the effect of a resize."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from extensions.interactive.session import model_choice
from extensions.interactive.session.session_events import FrontEndRequested, TurnEnded
from extensions.interactive.tui import approval_screen
from extensions.interactive.tui.choice_screen import ChoiceScreen
from extensions.interactive.tui.widgets.conversation_items import ModelText
from extensions.interactive.tui.widgets.prompt import Prompt
from tests.extensions.interactive.tui.recorded_sessions import (
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
        trajectory = SimpleNamespace(replies=replies)
        run = SimpleNamespace(id="20260101-000000-aaaaaa")  # a timer shows the status at any time
        app.session.engine = SimpleNamespace(trajectory=trajectory, run=run)  # type: ignore[union-attr]
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


def lines_of(app: RecordedApp) -> list[str]:
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


@pytest.mark.slow
def test_mark_shows_that_end_is_not_visible(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        def marked() -> list[str]:
            return [line for line in lines_of(app) if "more below" in line]

        assert not marked()
        await pilot.press("pageup")
        await pilot.pause()
        assert "↓ more below, end jumps there" in marked()[0]
        await pilot.press("end")
        await pilot.pause()
        assert app.conversation.following
        assert not marked()
        await pilot.press("pageup", "x", "home", "end", "y")
        await pilot.pause()
        assert app.prompt.entry.text == "xy"
        assert not app.conversation.following
        assert "ctrl-end jumps there" in marked()[0]
        await pilot.press("ctrl+end")
        await pilot.pause()
        assert app.conversation.following
        assert not marked()

    recorded = RecordedSession(RECORDED_SESSIONS["long"].events * 20, RECORDED_SESSIONS["long"].status)
    run_recorded_app(tmp_path, interact, recorded=recorded)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["enter", "ctrl+s"])
def test_sending_prompt_jumps_to_end(tmp_path: Path, key: str) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        app.session.say = lambda words: None  # type: ignore[union-attr, method-assign]
        app.session.steer = lambda words: True  # type: ignore[union-attr, method-assign]
        await pilot.press("pageup", "x")
        assert not app.conversation.following
        await pilot.press(key)
        await pilot.pause()
        assert app.conversation.following

    recorded = RecordedSession(RECORDED_SESSIONS["long"].events * 20, RECORDED_SESSIONS["long"].status)
    run_recorded_app(tmp_path, interact, recorded=recorded)


PRICE = FrontEndRequested("price", "No price is known.", "openai/mine", at_start=True)
LATER = "No price is known for openai/mine; `/model openai/mine` asks whether it costs anything."


@pytest.mark.slow
@pytest.mark.parametrize("how", ["keys", "enter", "paste"])
@pytest.mark.parametrize("request_", [PRICE, FrontEndRequested("models", at_start=True)], ids=["price", "models"])
@pytest.mark.parametrize("grace", [60.0, 0.0], ids=["early", "late"])
def test_text_and_early_enter_close_choice_and_go_to_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, request_: FrontEndRequested, grace: float
) -> None:
    monkeypatch.setattr(approval_screen, "GRACE", 60.0 if how == "enter" else grace)
    monkeypatch.setattr(model_choice, "find_offers", list)
    answers: list[object] = []
    monkeypatch.setattr(model_choice, "accept_offer", lambda *words: answers.append(words))
    monkeypatch.setattr(model_choice, "accept_price", lambda *words, is_free: answers.append(words))

    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        app._show_event(request_)
        await pilot.pause()
        assert isinstance(app.screen, ChoiceScreen)
        if how == "paste":
            app.post_message(events.Paste("fix it"))
            await pilot.pause()
        else:
            await pilot.press(*(["enter"] if how == "enter" else ["f", "i", "x", "space", "i", "t"]))
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert app.prompt.entry.text == ("" if how == "enter" else "fix it")
        assert "/model" in app.conversation.items[-1].text  # type: ignore[attr-defined]

    run_recorded_app(tmp_path, interact, recorded=RECORDED_SESSIONS["empty"])
    assert answers == []


@pytest.mark.slow
@pytest.mark.parametrize("state", ["typing", "early", "working", "queued", "asking"])
def test_choice_does_not_open_over_input_or_turn(tmp_path: Path, state: str) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        session: Any = app.session
        if state == "typing":
            app.prompt.put("fix")
        elif state == "early":
            app._early.append("fix it")
        elif state == "queued":
            session.status = replace(session.status, queued=("fix it",))
        else:
            session.status = replace(session.status, state=state)
        app._show_event(PRICE)
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert app.conversation.items == [ModelText(LATER, "notice")]

    run_recorded_app(tmp_path, interact, recorded=RECORDED_SESSIONS["empty"])


@pytest.mark.slow
def test_choice_that_user_requests_opens_during_command(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        session: Any = app.session
        session.status = replace(session.status, state="working")  # /model is still running
        app._show_event(replace(PRICE, at_start=False))
        await pilot.pause()
        assert isinstance(app.screen, ChoiceScreen)

    run_recorded_app(tmp_path, interact, recorded=RECORDED_SESSIONS["empty"])


@pytest.mark.slow
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


@pytest.mark.slow
def test_textual_theme_colours_all_text(tmp_path: Path) -> None:
    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        app.theme = "textual-light"
        await pilot.pause()
        assert app.conversation.pen().style("text").color.triplet.hex == "#1f1f1f"  # type: ignore[union-attr]

    run_recorded_app(tmp_path, interact)


def test_picture_of_clipboard_goes_into_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))

    async def interact(app: RecordedApp, pilot: Pilot[Any]) -> None:
        app.session.settings = SimpleNamespace(state=tmp_path / "state")  # type: ignore[union-attr, assignment]
        app.paste_picture()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "No program is installed" in str(app.prompt.query_one("#hint", Static).content)
        (programs / "xclip").write_text("#!/bin/sh\nprintf '\\211PNG\\r\\n\\032\\n picture'\n")
        (programs / "xclip").chmod(0o755)
        app.paste_picture()
        await app.workers.wait_for_complete()
        await pilot.pause()
        [file] = (app.session.settings.state / "pasted").iterdir()  # type: ignore[union-attr]
        assert app.prompt.entry.text == f"[picture 1: {file.name}] "
        assert app.prompt.entry.words == f'@"{file}" '

    run_recorded_app(tmp_path, interact)
