"""The help screen: keys and commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from aci.observation.untrusted_text import one_line

TYPING = (
    ("words", "an issue, a question, what to do next"),
    ("@path", "attaches a file; a URL is an issue"),
    ("!command", "runs in the workspace"),
    ("/command", "one of the commands below"),
)
KEYS = (
    ("enter", "send; during a turn: queue for afterwards"),
    ("ctrl+s", "send to the model at its next step"),
    ("escape", "stop the turn; it can be resumed"),
    ("ctrl+j", "new line; alt-enter and shift-enter too"),
    ("tab", "complete a command or path"),
    ("up", "earlier prompts; takes back a queued one"),
    ("down", "later prompts"),
    ("ctrl+r", "search earlier prompts"),
    ("ctrl+g", "edit the prompt in $EDITOR"),
    ("shift+tab", "switch between build and plan"),
    ("ctrl+o", "open or close a step"),
    ("ctrl+t", "open or close all steps"),
    ("pageup", "scroll up"),
    ("pagedown", "scroll down"),
    ("ctrl+b", "fold the side panel"),
    ("f1", "this help"),
    ("ctrl+l", "redraw the screen"),
    ("ctrl+c", "clear the prompt; twice on an empty one: quit"),
    ("ctrl+d", "quit, on an empty prompt"),
    ("ctrl+q", "quit"),
)
"""Keys by their names in Textual, with their effect in the session."""
SAME = {"alt+enter": "ctrl+j", "shift+enter": "ctrl+j"}
"""Aliases of keys; the description of the main key mentions them."""
COLUMN = 14
"""Minimum width of the left column, in characters."""


class HelpScreen(ModalScreen[None]):
    """Shows keys and `commands` with their descriptions. Pressing q, esc or f1 closes the screen."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background; }
    HelpScreen VerticalScroll { max-width: 96; background: $background; padding: 0 1; scrollbar-size-vertical: 1; }
    HelpScreen .bar { height: 1; padding: 0 1; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,f1", "dismiss(None)", "Close", priority=True),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, commands: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.commands = commands

    def compose(self) -> ComposeResult:
        yield Static("Help", classes="bar", markup=False)
        with VerticalScroll():
            yield Static(id="text", markup=False)
        yield Static("up, down, pageup, pagedown · q closes", classes="bar", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        width = min(96, self.size.width) - 3
        keys = [(key_label(key), what) for key, what in KEYS]
        sections = (("What to type", TYPING), ("Keys", keys), ("Commands", self.commands))
        lines = [line for heading, rows in sections for line in section_lines(heading, rows, width)]
        self.query_one("#text", Static).update(Content("\n").join(lines))

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def key_label(key: str) -> str:
    """Return a key's name for display: `ctrl-b`, `esc`."""
    return key.replace("escape", "esc").replace("+", "-")


def section_lines(heading: str, rows: Sequence[tuple[str, str]], width: int) -> Iterator[Content]:
    """Yield the lines of a heading and two columns; an entry too long for the left column gets its own line."""
    yield Content("")
    yield Content.styled(heading, "bold $text-primary")
    column = max([COLUMN, *(len(left) + 2 for left, _ in rows)]) if width >= 72 else COLUMN
    for left, right in rows:
        beside = len(left) < column
        first, *more = wrap(one_line(right), max(10, width - column)) or [""]
        if beside:
            yield Content.assemble((f"{left:<{column}}", "bold"), first)
        else:
            yield Content.styled(left, "bold")
            more = [first, *more]
        yield from (Content(" " * column + line) for line in more)
