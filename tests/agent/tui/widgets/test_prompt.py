"""The prompt: its keys, its history, and that what goes in comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from agent.tui.widgets.history_search import MemoryHistory
from agent.tui.widgets.prompt import Prompt
from agent.tui.widgets.text_input import LINES, LONG, normalize_input
from tests.agent.tui.session_states import running, status

HEARD = (
    Prompt.Submitted,
    Prompt.Steered,
    Prompt.Interrupted,
    Prompt.Resumed,
    Prompt.Unqueued,
    Prompt.ModeSwitched,
    Prompt.Quit,
)


class Typed(App[None]):
    """A prompt alone, and what it said."""

    def __init__(self, history: Sequence[str] = (), **changes: Any) -> None:
        super().__init__()
        self.history = MemoryHistory(history)
        self.prompt = Prompt(self.history)
        self.status = status(**changes)
        self.heard: list[str] = []
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.prompt

    def on_mount(self) -> None:
        self.prompt.focus()
        self.prompt.show(self.status)

    async def on_event(self, event: events.Event) -> None:
        await super().on_event(event)

    async def _on_message(self, message: Message) -> None:
        if isinstance(message, HEARD):
            self.heard.append(f"{type(message).__name__} {getattr(message, 'words', '')}".strip())
        await super()._on_message(message)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


def after(
    *keys: str, history: Sequence[str] = (), size: tuple[int, int] = (80, 24), **changes: Any
) -> tuple[str, list[str]]:
    """What stands in the prompt after these keys (a word that is no key is typed), and what it said."""
    app = Typed(history, **changes)

    async def look(pilot: Pilot[None]) -> tuple[str, list[str]]:
        await press(pilot, *keys)
        return app.prompt.entry.words, app.heard

    return running(app, look, size)  # type: ignore[no-any-return]


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await (pilot.press(*key[1:]) if key.startswith("'") else pilot.press(key))
    await pilot.pause()


async def paste(pilot: Pilot[Any], text: str) -> None:
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


def hint(app: Typed) -> str:
    return str(app.prompt.query_one("#hint", Static).content)


@pytest.mark.parametrize(
    ("keys", "left", "heard"),
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
def test_keys(keys: list[str], left: str, heard: list[str]) -> None:
    assert after(*keys) == (left, heard)


def test_enter_on_empty_prompt_goes_on_with_what_was_stopped() -> None:
    assert after("enter", state="paused") == ("", ["Resumed"])
    assert after("'no", "enter", state="paused") == ("", ["Submitted no"])


def test_up_takes_last_queued_words_back_and_only_from_empty_prompt() -> None:
    assert after("up", state="working", queued=("one", "two"), history=["old"]) == ("", ["Unqueued"])
    assert after("'x", "up", state="working", queued=("one",), history=["old"]) == ("old", [])


def test_what_waits_is_shown_above() -> None:
    app = Typed(state="working", queued=("1", "2", "3", "four [b]words\nand more"))

    async def look(pilot: Pilot[None]) -> str:
        return str(app.prompt.query_one("#queued", Static).content)

    assert running(app, look).split("\n") == [
        "1 more queued",
        "queued: 2",
        "queued: 3",
        "queued: four [b]words",
        "up takes the last one back",
    ]


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (["up"], "second\nof two"),
        (["up", "up", "up"], "first"),
        (["'draft", "up", "down", "down"], "draft"),
        (["'draft", "up", "up", "up", "down"], "second\nof two"),
        (["'draft", "up", "up", "up", "down", "down"], "draft"),
        (["down"], ""),
    ],
)
def test_up_and_down_at_edges_go_through_what_was_typed(keys: list[str], left: str) -> None:
    assert after(*keys, history=["first", "second\nof two"])[0] == left


def test_up_and_down_within_lines_move_cursor() -> None:
    assert after("'b", "ctrl+j", "'b", "up", "home", "'a", "down", "end", "'c", history=["old"])[0] == "ab\nbc"


def test_what_is_sent_is_found_again_once() -> None:
    app = Typed(["old"])

    async def look(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'new", "enter", "'new", "ctrl+s", "up", "up")
        return [*app.history.entries, app.prompt.entry.words]

    assert running(app, look) == ["old", "new", "old"]


@pytest.mark.parametrize(
    ("keys", "left", "heard"),
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
def test_ctrl_r_searches_what_was_typed(keys: list[str], left: str, heard: list[str]) -> None:
    assert after(*keys, history=["Fix a", "test", "fix b"]) == (left, heard)


def test_search_says_what_it_looks_for() -> None:
    app = Typed(["fix"])

    async def look(pilot: Pilot[None]) -> tuple[str, str]:
        await press(pilot, "ctrl+r", "'[i]")
        found = hint(app)
        await press(pilot, "escape")
        return found, hint(app)

    found, gone = running(app, look)
    assert found.startswith("History: [i]")
    assert gone == ""


def test_search_says_where_it_ends() -> None:
    app = Typed(["fix a"])

    async def look(pilot: Pilot[None]) -> list[bool]:
        told = []
        for key in ("ctrl+r", "'fix", "ctrl+r", "backspace", "z"):
            await press(pilot, key)
            told.append("no older" in hint(app))
        return told

    assert running(app, look) == [False, False, True, False, True]


def test_ctrl_c_copies_what_is_selected_and_says_how_to_leave() -> None:
    app = Typed()

    async def look(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'copy", "shift+home", "ctrl+c")
        told = [app.prompt.entry.text, *app.copied]
        await press(pilot, "backspace", "ctrl+c")
        told.append(hint(app))
        await press(pilot, "'x")
        return [*told, hint(app)]

    assert running(app, look) == ["copy", "copy", "ctrl-c again ends the session", ""]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "/ commands"),
        ({"state": "working"}, "Enter queues"),
        ({"state": "asking"}, "Enter queues"),
        ({"state": "paused"}, "Enter resumes"),
        ({"mode": "plan"}, "No files are changed"),
        ({"model": ""}, "No model"),
    ],
)
def test_empty_prompt_says_what_can_be_done(changes: dict[str, Any], said: str) -> None:
    app = Typed(**changes)

    async def look(pilot: Pilot[None]) -> str:
        return str(app.prompt.entry.placeholder)

    assert said in running(app, look)


def test_empty_prompt_says_as_much_as_new_width_has_room_for() -> None:
    app = Typed(state="working")

    async def look(pilot: Pilot[None]) -> list[str]:
        said = []
        for width in (100, 40, 100):
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            said.append(str(app.prompt.entry.placeholder))
        return said

    wide, narrow, again = running(app, look, size=(100, 24))
    assert wide == again
    assert len(narrow) < len(wide)
    assert len(narrow) <= 35


def test_shell_command_and_plan_mode_have_colours_of_their_own() -> None:
    app = Typed(mode="plan")

    async def look(pilot: Pilot[None]) -> tuple[bool, bool, bool]:
        await press(pilot, "'!l")
        shell = app.prompt.has_class("-shell")
        await press(pilot, "backspace", "backspace")
        return app.prompt.has_class("-plan"), shell, app.prompt.has_class("-shell")

    assert running(app, look) == (True, True, False)


@pytest.mark.slow
def test_it_grows_to_third_of_screen() -> None:
    app = Typed()

    async def look(pilot: Pilot[None]) -> list[int]:
        heights = []
        for _ in range(3):
            heights.append(app.prompt.entry.size.height)
            await press(pilot, *["ctrl+j"] * 4)
        return heights

    assert running(app, look, (40, 21)) == [1, 5, 6]


# What goes in comes out

PIECE = st.tuples(st.booleans(), st.text(max_size=30) | st.text("a\r\n\x85\u2028\t\x1b\x0b\u202e字é", max_size=30))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(PIECE, max_size=5), st.sampled_from(["", "x\n" * (LINES + 5), "y" * (LONG + 1)]))
def test_what_is_typed_and_pasted_is_sent(pieces: list[tuple[bool, str]], long: str) -> None:
    app = Typed()

    async def look(pilot: Pilot[None]) -> str:
        for pasted, text in [*pieces, (True, long), (True, long)]:
            if pasted:
                app.post_message(events.Paste(text))
            else:
                for character in normalize_input(text):
                    key = "ctrl+j" if character == "\n" else "tab" if character == "\t" else "x"
                    app.post_message(events.Key(key, character))
        await pilot.pause()
        words: str = app.prompt.entry.words
        await press(pilot, "enter")
        assert app.heard == ([f"Submitted {words.strip()}".strip()] if words.strip() else [])
        return words

    expected = "".join(
        normalize_input(text) if pasted else normalize_input(text).replace("\t", "") for pasted, text in pieces
    )
    assert running(app, look) == expected + normalize_input(long) * 2


def test_plain_text_keeps_lines_and_holds_nothing_for_terminal() -> None:
    assert normalize_input("a\r\nb\rc\u2028d\x0ce\tf") == "a\nb\nc\nd\ne\tf"
    assert normalize_input("\x1b[31mred\x9b0m\x00\x7f\ud800") == "[31mred0m"


def test_paste_of_megabyte_is_one_mark_and_goes_as_whole() -> None:
    app = Typed()
    text = "".join(f"line {n} of what was pasted\n" for n in range(40_000))

    async def look(pilot: Pilot[None]) -> list[str]:
        await press(pilot, "'see")
        await paste(pilot, text)
        shown = app.prompt.entry.text
        whole = app.prompt.entry.words == f"see{text}"
        await press(pilot, "backspace", "'!")
        return [shown, str(whole), app.prompt.entry.words]

    assert len(text) > 1_000_000
    assert running(app, look) == ["see[pasted 1: 40000 lines]", "True", "see!"]


def test_long_paste_comes_back_from_history_whole() -> None:
    text = "word " * LONG
    assert after("up", history=[text])[0] == text


def test_what_was_copied_within_is_pasted_without_what_controls_terminal() -> None:
    app = Typed()

    async def look(pilot: Pilot[None]) -> str:
        app._clipboard = "a\x1b[2Jb"
        await press(pilot, "ctrl+v")
        return app.prompt.entry.words

    assert running(app, look) == "a[2Jb"


def test_words_are_put_for_editing() -> None:
    app = Typed()

    async def look(pilot: Pilot[None]) -> str:
        app.prompt.put("take\nback")
        await press(pilot, "'!")
        return app.prompt.entry.words

    assert running(app, look) == "take\nback!"
