"""The prompt: its keys, its history, and that it sends text unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from extensions.interactive.tui.widgets.history_search import MemoryHistory
from extensions.interactive.tui.widgets.prompt import Prompt
from extensions.interactive.tui.widgets.text_input import LINES, LONG, normalize_input
from tests.extensions.interactive.tui.session_states import run_app, status

MESSAGES = (
    Prompt.Submitted,
    Prompt.Steered,
    Prompt.Interrupted,
    Prompt.Resumed,
    Prompt.Unqueued,
    Prompt.ModeSwitched,
    Prompt.Quit,
)


class PromptApp(App[None]):
    """An app with only a prompt; it records the prompt's messages."""

    def __init__(self, history: Sequence[str] = (), **changes: Any) -> None:
        super().__init__()
        self.history = MemoryHistory(history)
        self.prompt = Prompt(self.history)
        self.status = status(**changes)
        self.messages: list[str] = []
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.prompt

    def on_mount(self) -> None:
        self.prompt.focus()
        self.prompt.show(self.status)

    async def on_event(self, event: events.Event) -> None:
        await super().on_event(event)

    async def _on_message(self, message: Message) -> None:
        if isinstance(message, MESSAGES):
            self.messages.append(f"{type(message).__name__} {getattr(message, 'words', '')}".strip())
        await super()._on_message(message)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


def text_and_messages(
    *keys: str, history: Sequence[str] = (), size: tuple[int, int] = (80, 24), **changes: Any
) -> tuple[str, list[str]]:
    """The prompt's text and messages after these keys; characters after a quote are typed one by one."""
    app = PromptApp(history, **changes)

    async def interact(pilot: Pilot[None]) -> tuple[str, list[str]]:
        await press(pilot, *keys)
        return app.prompt.entry.words, app.messages

    return run_app(app, interact, size)  # type: ignore[no-any-return]


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await (pilot.press(*key[1:]) if key.startswith("'") else pilot.press(key))
    await pilot.pause()


async def paste(pilot: Pilot[Any], text: str) -> None:
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


def hint(app: PromptApp) -> str:
    return str(app.prompt.query_one("#hint", Static).content)


@pytest.mark.parametrize(
    ("keys", "text", "messages"),
    [
        (["'hi", "enter"], "", ["Submitted hi"]),
        (["enter"], "", []),
        (["space", "enter"], " ", []),
        (["'hi", "ctrl+s"], "", ["Steered hi"]),
        (["ctrl+s"], "", []),
        (["'a", "ctrl+j", "'b", "enter"], "", ["Submitted a\nb"]),
        (["'a", "alt+enter", "'b"], "a\nb", []),
        (["'a", "shift+enter", "'b"], "a\nb", []),
        (["'hi", "escape"], "hi", ["Interrupted"]),
        (["'hi", "shift+tab"], "hi", ["ModeSwitched"]),
        (["ctrl+d"], "", ["Quit"]),
        (["'ab", "home", "ctrl+d"], "b", []),
        (["'hi", "ctrl+c"], "", []),
        (["ctrl+c"], "", []),
        (["ctrl+c", "ctrl+c"], "", ["Quit"]),
        (["'hi", "ctrl+c", "ctrl+c"], "", []),
        (["ctrl+c", "'a", "ctrl+c", "ctrl+c"], "", []),
    ],
)
def test_keys_edit_and_send(keys: list[str], text: str, messages: list[str]) -> None:
    assert text_and_messages(*keys) == (text, messages)


@pytest.mark.slow
def test_enter_on_empty_prompt_resumes_paused_turn() -> None:
    assert text_and_messages("enter", state="paused") == ("", ["Resumed"])
    assert text_and_messages("'no", "enter", state="paused") == ("", ["Submitted no"])


def test_up_unqueues_last_prompt_only_from_empty_prompt() -> None:
    assert text_and_messages("up", state="working", queued=("one", "two"), history=["old"]) == ("", ["Unqueued"])
    assert text_and_messages("'x", "up", state="working", queued=("one",), history=["old"]) == ("old", [])


def test_queued_prompts_are_listed() -> None:
    app = PromptApp(state="working", queued=("1", "2", "3", "four [b]words\nand more"))

    async def interact(pilot: Pilot[None]) -> str:
        return str(app.prompt.query_one("#queued", Static).content)

    assert run_app(app, interact).split("\n") == [
        "1 more queued",
        "queued: 2",
        "queued: 3",
        "queued: four [b]words",
        "up edits the last one",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["up"], "second\nof two"),
        (["up", "up", "up"], "first"),
        (["'draft", "up", "down", "down"], "draft"),
        (["'draft", "up", "up", "up", "down"], "second\nof two"),
        (["'draft", "up", "up", "up", "down", "down"], "draft"),
        (["down"], ""),
    ],
)
def test_up_and_down_at_first_and_last_line_browse_history(keys: list[str], text: str) -> None:
    assert text_and_messages(*keys, history=["first", "second\nof two"])[0] == text


@pytest.mark.slow
def test_up_and_down_within_lines_move_cursor() -> None:
    assert (
        text_and_messages("'b", "ctrl+j", "'b", "up", "home", "'a", "down", "end", "'c", history=["old"])[0] == "ab\nbc"
    )


def test_sent_prompt_is_added_to_history_once() -> None:
    app = PromptApp(["old"])

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'new", "enter", "'new", "ctrl+s", "up", "up")
        return [*app.history.entries, app.prompt.entry.words]

    assert run_app(app, interact) == ["old", "new", "old"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "text", "messages"),
    [
        (["ctrl+r", "'fix"], "fix b", []),
        (["ctrl+r", "'fix", "ctrl+r"], "Fix a", []),
        (["ctrl+r", "'fix", "ctrl+r", "ctrl+r"], "Fix a", []),
        (["ctrl+r", "'fix", "space", "'a"], "Fix a", []),
        (["ctrl+r", "'fixx"], "fix b", []),
        (["ctrl+r", "'te", "backspace", "backspace", "'x"], "fix b", []),
        (["'draft", "ctrl+r", "'fix", "escape"], "draft", []),
        (["'draft", "ctrl+r", "'fix", "ctrl+c"], "draft", []),
        (["ctrl+r", "'fix", "enter", "'!"], "fix b!", []),
        (["ctrl+r", "'fix", "enter", "enter"], "", ["Submitted fix b"]),
        (["ctrl+r", "'fix", "enter", "up"], "test", []),
        (["ctrl+r", "'fix", "end", "'."], "fix b.", []),
    ],
)
def test_ctrl_r_searches_history(keys: list[str], text: str, messages: list[str]) -> None:
    assert text_and_messages(*keys, history=["Fix a", "test", "fix b"]) == (text, messages)


def test_history_search_shows_its_text() -> None:
    app = PromptApp(["fix"])

    async def interact(pilot: Pilot[None]) -> tuple[str, str]:
        await press(pilot, "ctrl+r", "'[i]")
        hint_while_searching = hint(app)
        await press(pilot, "escape")
        return hint_while_searching, hint(app)

    hint_while_searching, hint_after = run_app(app, interact)
    assert hint_while_searching.startswith("History: [i]")
    assert hint_after == ""


def test_history_search_reports_its_end() -> None:
    app = PromptApp(["fix a"])

    async def interact(pilot: Pilot[None]) -> list[bool]:
        hints = []
        for key in ("ctrl+r", "'fix", "ctrl+r", "backspace", "z"):
            await press(pilot, key)
            hints.append("no older" in hint(app))
        return hints

    assert run_app(app, interact) == [False, False, True, False, True]


def test_ctrl_c_copies_selection_and_explains_how_to_leave() -> None:
    app = PromptApp()

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'copy", "shift+home", "ctrl+c")
        content = [app.prompt.entry.text, *app.copied]
        await press(pilot, "backspace", "ctrl+c")
        content.append(hint(app))
        await press(pilot, "'x")
        return [*content, hint(app)]

    assert run_app(app, interact) == ["copy", "copy", "ctrl-c again ends the session", ""]


@pytest.mark.parametrize(
    ("changes", "placeholder"),
    [
        ({}, "/ commands"),
        ({"state": "working"}, "Enter queues"),
        ({"state": "asking"}, "Enter queues"),
        ({"state": "paused"}, "Enter resumes"),
        ({"mode": "plan"}, "No files are changed"),
        ({"model": ""}, "No model"),
    ],
)
def test_placeholder_depends_on_status(changes: dict[str, Any], placeholder: str) -> None:
    app = PromptApp(**changes)

    async def interact(pilot: Pilot[None]) -> str:
        return str(app.prompt.entry.placeholder)

    assert placeholder in run_app(app, interact)


def test_placeholder_is_shortened_on_narrow_terminal() -> None:
    app = PromptApp(state="working")

    async def interact(pilot: Pilot[None]) -> list[str]:
        placeholders = []
        for width in (100, 40, 100):
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            placeholders.append(str(app.prompt.entry.placeholder))
        return placeholders

    wide, narrow, again = run_app(app, interact, size=(100, 24))
    assert wide == again
    assert len(narrow) < len(wide)
    assert len(narrow) <= 35


def test_shell_command_and_plan_mode_have_classes() -> None:
    app = PromptApp(mode="plan")

    async def interact(pilot: Pilot[None]) -> tuple[bool, bool, bool]:
        await press(pilot, "'!l")
        shell = app.prompt.has_class("-shell")
        await press(pilot, "backspace", "backspace")
        return app.prompt.has_class("-plan"), shell, app.prompt.has_class("-shell")

    assert run_app(app, interact) == (True, True, False)


@pytest.mark.slow
def test_prompt_grows_to_third_of_screen() -> None:
    app = PromptApp()

    async def interact(pilot: Pilot[None]) -> list[int]:
        heights = []
        for _ in range(3):
            heights.append(app.prompt.entry.size.height)
            await press(pilot, *["ctrl+j"] * 4)
        return heights

    assert run_app(app, interact, (40, 21)) == [1, 5, 6]


# Input is sent unchanged

PIECE = st.tuples(st.booleans(), st.text(max_size=30) | st.text("a\r\n\x85\u2028\t\x1b\x0b\u202e字é", max_size=30))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(PIECE, max_size=5), st.sampled_from(["", "x\n" * (LINES + 5), "y" * (LONG + 1)]))
def test_typed_and_pasted_text_is_sent_unchanged(pieces: list[tuple[bool, str]], long: str) -> None:
    app = PromptApp()

    async def interact(pilot: Pilot[None]) -> str:
        for pasted, text in [*pieces, (True, long), (True, long)]:
            if pasted:
                app.post_message(events.Paste(text))
            else:
                for character in normalize_input(text):
                    key = "ctrl+j" if character == "\n" else "tab" if character == "\t" else "x"
                    app.post_message(events.Key(key, character))
        await pilot.pause()
        sent_text: str = app.prompt.entry.words
        await press(pilot, "enter")
        assert app.messages == ([f"Submitted {sent_text.strip()}".strip()] if sent_text.strip() else [])
        return sent_text

    expected = "".join(
        normalize_input(text) if pasted else normalize_input(text).replace("\t", "") for pasted, text in pieces
    )
    assert run_app(app, interact) == expected + normalize_input(long) * 2


def test_normalize_input_keeps_lines_and_removes_control_characters() -> None:
    assert normalize_input("a\r\nb\rc\u2028d\x0ce\tf") == "a\nb\nc\nd\ne\tf"
    assert normalize_input("\x1b[31mred\x9b0m\x00\x7f\ud800") == "[31mred0m"


def test_long_paste_is_shown_and_deleted_as_one_placeholder() -> None:
    app = PromptApp()
    text = "".join(f"line {n} of what was pasted\n" for n in range(40_000))

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'see")
        await paste(pilot, text)
        entry_text = app.prompt.entry.text
        is_whole = app.prompt.entry.words == f"see{text}"
        await press(pilot, "backspace", "'!")
        return [entry_text, str(is_whole), app.prompt.entry.words]

    assert len(text) > 1_000_000
    assert run_app(app, interact) == ["see[pasted 1: 40000 lines]", "True", "see!"]


@pytest.mark.parametrize("form", ["{}", "'{}'", '"{}"', "file://{}", " {} \n"])
def test_pasted_path_of_picture_is_mark_with_its_name(tmp_path: Path, form: str) -> None:
    app, file = PromptApp(), tmp_path / "my shot.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    path = str(file).replace(" ", "%20") if form.startswith("file") else str(file)

    async def interact(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'see")
        await paste(pilot, form.format(path))
        shown = app.prompt.entry.text
        await press(pilot, "'!")
        sent = app.prompt.entry.words
        await press(pilot, "backspace", "backspace", "backspace")
        return [shown, sent, app.prompt.entry.words]

    mark = "see [picture 1: my shot.png] "
    assert run_app(app, interact) == [mark, f'see @"{file}" !', "see "]


def test_other_pastes_are_text(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    for before, text in (
        ("", f"{tmp_path}/text.png"),
        ("", f"{tmp_path}/none.png"),
        ("", f"see {tmp_path}/shot.png"),
        ("", f"{tmp_path}/shot.png\n{tmp_path}/shot.png"),
        ("", "shot.png"),
        ("!ls ", f"{tmp_path}/shot.png"),
    ):
        app = PromptApp()

        async def interact(pilot: Pilot[None], before: str = before, text: str = text, app: PromptApp = app) -> str:
            app.prompt.put(before)
            await paste(pilot, text)
            return app.prompt.entry.words

        assert run_app(app, interact) == before + text


def test_escaped_paths_of_several_pictures(tmp_path: Path) -> None:
    app, paths = PromptApp(), [tmp_path / "my shot.jpg", tmp_path / "b.jpeg"]
    for path in paths:
        path.write_bytes(b"\xff\xd8\xff" + bytes(40))

    async def interact(pilot: Pilot[None]) -> str:
        await paste(pilot, " ".join(str(path).replace(" ", "\\ ") for path in paths))
        return app.prompt.entry.words

    assert run_app(app, interact) == "".join(f'@"{path}" ' for path in paths)


def test_long_prompt_from_history_is_complete() -> None:
    text = "word " * LONG
    assert text_and_messages("up", history=[text])[0] == text


def test_control_characters_of_clipboard_are_not_pasted() -> None:
    app = PromptApp()

    async def interact(pilot: Pilot[None]) -> str:
        app._clipboard = "a\x1b[2Jb"
        await press(pilot, "ctrl+v")
        return app.prompt.entry.words

    assert run_app(app, interact) == "a[2Jb"


def test_put_text_can_be_edited() -> None:
    app = PromptApp()

    async def interact(pilot: Pilot[None]) -> str:
        app.prompt.put("take\nback")
        await press(pilot, "'!")
        return app.prompt.entry.words

    assert run_app(app, interact) == "take\nback!"
