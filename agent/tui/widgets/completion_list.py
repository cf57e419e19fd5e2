"""The list of what may be meant, above the prompt: commands with their help, their arguments, paths behind an @."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from aci.cleaning import one_line
from agent.tui.entry import plain

NARROW = 60
"""Columns below which choices stand there without their help."""


class Choice(Protocol):
    """`text` would replace what stands from `start` up to the cursor; `help` says what it is."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def help(self) -> str: ...


Complete = Callable[[str, int], Sequence[Choice]]
"""What may be meant at the cursor (an offset into the text). Asked at every key, so it has milliseconds."""


class Completions(OptionList, can_focus=False):
    """Never has the focus: the prompt goes on taking keys, and moves it."""

    DEFAULT_CSS = """
    Completions {
        display: none; height: auto; max-height: 8; border: none; text-wrap: nowrap; text-overflow: ellipsis;
        background: $panel; scrollbar-size-vertical: 1;
    }
    Completions > .option-list--option-highlighted {
        color: $block-cursor-foreground; background: $block-cursor-background; text-style: $block-cursor-text-style;
    }
    Completions.-open { display: block; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__(compact=True)
        self.choices: Sequence[Choice] = ()
        self.moved = False
        """Whether the user went up or down in it: then even an empty word is completed by Enter."""

    @property
    def is_open(self) -> bool:
        return bool(self.choices)

    @property
    def chosen(self) -> Choice | None:
        return self.choices[self.highlighted] if self.choices and self.highlighted is not None else None

    @property
    def narrow(self) -> bool:
        return self.app.size.width < NARROW

    def offer(self, choices: Sequence[Choice]) -> None:
        """Show these, or nothing; names of files that would control the terminal are nothing to choose."""
        self.choices = choices = [choice for choice in choices if plain(choice.text) == choice.text]
        self.moved = False
        self.set_class(bool(choices), "-open")
        self.clear_options()
        if choices:
            widest = max(len(choice.text) for choice in choices)
            self.add_options(Option(self._line(choice, widest)) for choice in choices)
            self.highlighted = 0

    def takes(self, text: str, cursor: int) -> bool:
        """Whether Enter completes, and does not send: not what is whole, nor a word of which nothing is typed."""
        typed = {text[choice.start : cursor] for choice in self.choices}
        whole = {choice.text.strip() for choice in self.choices}
        return self.moved or not (typed & whole or typed == {""})

    def move(self, by: int) -> None:
        self.moved = True
        self.highlighted = ((self.highlighted or 0) + by) % len(self.choices)

    def _line(self, choice: Choice, widest: int) -> Content:
        if self.narrow or not choice.help:
            return Content(choice.text)
        return Content.assemble(choice.text.ljust(widest + 2), (one_line(choice.help), "dim"))
