"""The completion list above the prompt: its choices, and when Enter sends."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from extensions.interactive.session.prompt_input.completion import Completion
from extensions.interactive.tui.widgets.prompt import Prompt
from tests.extensions.interactive.tui.session_states import run_app
from tests.extensions.interactive.tui.widgets.test_prompt import PromptApp, hint, press

pytestmark = pytest.mark.slow

COMMANDS = {"/mode ": "Choose what the next turn may do.", "/model ": "Another model.", "/quit": "End the session."}
PATHS = ("src/", "src/app.py", "src/[b]odd.py", "src/\x1b[2Jclear.py", "src/a\rb.py")
"""The last two are never offered: they would control the terminal."""


def complete_input(text: str, cursor: int) -> list[Completion]:
    before = text[:cursor]
    if before.startswith("/mode "):
        return [Completion(mode, 6) for mode in ("build", "plan") if mode.startswith(before[6:])]
    if before.startswith("/"):
        return [Completion(name, 0, help) for name, help in COMMANDS.items() if name.startswith(before)]
    word = before.rpartition(" ")[2]
    if word.startswith("@"):
        return [Completion(f"@{path}", cursor - len(word)) for path in PATHS if path.startswith(word[1:])]
    return []


class CompletionApp(PromptApp):
    def __init__(self) -> None:
        super().__init__()
        self.prompt = Prompt(self.history, complete_input)

    @property
    def choices(self) -> list[str]:
        completions = self.prompt.completions
        return [str(completions.get_option_at_index(at).prompt).rstrip() for at in range(completions.option_count)]


def state_after_keys(*keys: str, size: tuple[int, int] = (80, 24)) -> tuple[str, list[str], list[str]]:
    """The prompt's text after these keys, the choices, and the messages of the prompt."""
    app = CompletionApp()

    async def interact(pilot: Pilot[None]) -> tuple[str, list[str], list[str]]:
        await press(pilot, *keys)
        return app.prompt.entry.words, app.choices, app.messages

    return run_app(app, interact, size)  # type: ignore[no-any-return]


def test_commands_are_offered_with_their_help() -> None:
    assert state_after_keys("'/m")[1] == ["/mode    Choose what the next turn may do.", "/model   Another model."]


def test_narrow_screen_shows_help_of_highlighted_choice_only() -> None:
    app = CompletionApp()

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'/m")
        hints = [*app.choices, hint(app)]
        await press(pilot, "down")
        hints.append(hint(app))
        await press(pilot, "escape")
        return [*hints, hint(app)]

    assert run_app(app, interact, (40, 20)) == [
        "/mode",
        "/model",
        "Choose what the next turn may do.",
        "Another model.",
        "",
    ]


@pytest.mark.parametrize(
    ("keys", "text", "messages"),
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
def test_keys_complete_and_send(keys: list[str], text: str, messages: list[str]) -> None:
    prompt_text, _, sent_messages = state_after_keys(*keys)
    assert (prompt_text, sent_messages) == (text, messages)


def test_accepted_folder_offers_its_content() -> None:
    assert state_after_keys("'@s", "tab")[1] == ["@src/", "@src/app.py", "@src/[b]odd.py"]


def test_escape_closes_list_until_next_character_or_tab() -> None:
    assert state_after_keys("'/m", "escape")[1] == []
    assert len(state_after_keys("'/m", "escape", "tab")[1]) == 2
    assert len(state_after_keys("'/m", "escape", "'o")[1]) == 2


def test_choices_depend_on_cursor() -> None:
    assert state_after_keys("'/mo", "home")[1] == []
    assert len(state_after_keys("'/mo", "home", "right", "tab")[1]) == len(COMMANDS)


def test_history_entry_opens_no_list() -> None:
    app = CompletionApp()
    app.history.add("/mode plan")

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "up")
        return app.choices

    assert run_app(app, interact) == []


def test_fast_keys_are_not_completed() -> None:
    app = CompletionApp()

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'/mode")
        await pilot.press(*" plan", "enter")
        return app.messages

    assert run_app(app, interact) == ["Submitted /mode plan"]


def test_choice_can_be_clicked() -> None:
    app = CompletionApp()

    async def interact(pilot: Pilot[None]) -> str:
        await press(pilot, "'/m")
        await pilot.click("Completions", offset=(3, 1))
        await pilot.pause()
        return app.prompt.entry.words

    assert run_app(app, interact) == "/model "
