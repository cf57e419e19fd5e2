"""The list above the prompt: what it takes, and when Enter sends."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from agent.session.completion import Completion
from agent.tui.widgets.prompt import Prompt
from tests.agent.tui.session_states import running
from tests.agent.tui.widgets.test_prompt import Typed, hint, press

pytestmark = pytest.mark.slow

COMMANDS = {"/mode ": "Choose what the next turn may do.", "/model ": "Another model.", "/quit": "End the session."}
PATHS = ("src/", "src/app.py", "src/[b]odd.py", "src/\x1b[2Jclear.py", "src/a\rb.py")
"""The last two are never offered: they would control the terminal."""


def complete(text: str, cursor: int) -> list[Completion]:
    before = text[:cursor]
    if before.startswith("/mode "):
        return [Completion(mode, 6) for mode in ("build", "plan") if mode.startswith(before[6:])]
    if before.startswith("/"):
        return [Completion(name, 0, what) for name, what in COMMANDS.items() if name.startswith(before)]
    word = before.rpartition(" ")[2]
    if word.startswith("@"):
        return [Completion(f"@{path}", cursor - len(word)) for path in PATHS if path.startswith(word[1:])]
    return []


class Completed(Typed):
    def __init__(self) -> None:
        super().__init__()
        self.prompt = Prompt(self.history, complete)

    @property
    def shown(self) -> list[str]:
        offered = self.prompt.completions
        return [str(offered.get_option_at_index(at).prompt).rstrip() for at in range(offered.option_count)]


def typed(*keys: str, size: tuple[int, int] = (80, 24)) -> tuple[str, list[str], list[str]]:
    """What stands in the prompt then, what is offered, and what the prompt said."""
    app = Completed()

    async def look(pilot: Pilot[None]) -> tuple[str, list[str], list[str]]:
        await press(pilot, *keys)
        return app.prompt.entry.words, app.shown, app.heard

    return running(app, look, size)  # type: ignore[no-any-return]


def test_commands_are_offered_with_their_help() -> None:
    assert typed("'/m")[1] == ["/mode    Choose what the next turn may do.", "/model   Another model."]


def test_narrow_screen_has_room_for_one_help() -> None:
    app = Completed()

    async def look(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'/m")
        told = [*app.shown, hint(app)]
        await press(pilot, "down")
        told.append(hint(app))
        await press(pilot, "escape")
        return [*told, hint(app)]

    assert running(app, look, (40, 20)) == [
        "/mode",
        "/model",
        "Choose what the next turn may do.",
        "Another model.",
        "",
    ]


@pytest.mark.parametrize(
    ("keys", "left", "heard"),
    [
        (["'/m", "tab"], "/mode ", []),
        (["'/m", "enter"], "/mode ", []),
        (["'/m", "down", "tab"], "/model ", []),
        (["'/m", "up", "enter"], "/model ", []),
        (["'/m", "down", "down", "tab"], "/mode ", []),
        (["'/m", "tab", "tab"], "/mode build", []),
        (["'/m", "tab", "'p", "enter"], "/mode plan", []),
        (["'/m", "tab", "enter"], "", ["Submitted /mode"]),
        (["'/m", "tab", "down", "enter"], "/mode plan", []),
        (["'/quit", "enter"], "", ["Submitted /quit"]),
        (["'/q", "enter", "enter"], "", ["Submitted /quit"]),
        (["'/mode", "space", "'plan", "enter"], "", ["Submitted /mode plan"]),
        (["'/m", "escape"], "/m", []),
        (["'/m", "escape", "escape"], "/m", ["Interrupted"]),
        (["'/m", "escape", "enter"], "", ["Submitted /m"]),
        (["'/m", "ctrl+s"], "", ["Steered /m"]),
        (["'see", "space", "'@src", "down", "tab"], "see @src/app.py", []),
        (["'see", "space", "'@src", "enter"], "see @src/", []),
        (["'@src/app.py", "enter"], "", ["Submitted @src/app.py"]),
        (["'hello", "tab"], "hello", []),
    ],
)
def test_keys(keys: list[str], left: str, heard: list[str]) -> None:
    text, _, said = typed(*keys)
    assert (text, said) == (left, heard)


def test_folder_that_was_taken_offers_what_is_in_it() -> None:
    assert typed("'@s", "tab")[1] == ["@src/", "@src/app.py", "@src/[b]odd.py"]


def test_esc_closes_until_something_else_is_typed_and_tab_opens_again() -> None:
    assert typed("'/m", "escape")[1] == []
    assert len(typed("'/m", "escape", "tab")[1]) == 2
    assert len(typed("'/m", "escape", "'o")[1]) == 2


def test_choices_follow_cursor() -> None:
    assert typed("'/mo", "home")[1] == []
    assert len(typed("'/mo", "home", "right", "tab")[1]) == len(COMMANDS)


def test_what_comes_from_history_opens_nothing() -> None:
    app = Completed()
    app.history.add("/mode plan")

    async def look(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "up")
        return app.shown

    assert running(app, look) == []


def test_keys_may_be_faster_than_list() -> None:
    app = Completed()

    async def look(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'/mode")
        await pilot.press(*" plan", "enter")
        return app.heard

    assert running(app, look) == ["Submitted /mode plan"]


def test_choice_can_be_clicked() -> None:
    app = Completed()

    async def look(pilot: Pilot[None]) -> str:
        await press(pilot, "'/m")
        await pilot.click("Completions", offset=(3, 1))
        await pilot.pause()
        return app.prompt.entry.words

    assert running(app, look) == "/model "
