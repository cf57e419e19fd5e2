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
from extensions.interactive.session.prompt_input.key_help import TYPED, key_labels

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
        sections = (("What to type", TYPED), ("Keys", key_labels()), ("Commands", self.commands))
        lines = [line for heading, rows in sections for line in section_lines(heading, rows, width)]
        self.query_one("#text", Static).update(Content("\n").join(lines))

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


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
