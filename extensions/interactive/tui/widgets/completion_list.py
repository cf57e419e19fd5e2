"""The list of completions above the prompt: commands with their help, their arguments, paths after @."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from aci.observation.untrusted_text import one_line
from extensions.interactive.tui.widgets.text_input import normalize_input

NARROW = 60
"""Minimum width in columns for showing the choices' help."""


class Choice(Protocol):
    """A completion: `text` replaces the input from `start` to the cursor; `help` describes the completion."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def help(self) -> str: ...


Complete = Callable[[str, int], Sequence[Choice]]
"""Returns completions at the cursor (an offset into the text). Called for each key, so it must be fast."""


class Completions(OptionList, can_focus=False):
    """The list of completions. It never has the focus; the prompt handles keys and moves the selection."""

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
        """Whether the user moved the selection; if so, Enter completes even an empty word."""

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
        """Show the choices, or close the list if there are none. File names with control characters are left out."""
        self.choices = choices = [choice for choice in choices if normalize_input(choice.text) == choice.text]
        self.moved = False
        self.set_class(bool(choices), "-open")
        self.clear_options()
        if choices:
            widest = max(len(choice.text) for choice in choices)
            self.add_options(Option(self._line(choice, widest)) for choice in choices)
            self.highlighted = 0

    def takes(self, text: str, cursor: int) -> bool:
        """Return whether Enter completes the word instead of sending the input; false for a complete or an empty word
        unless the user moved the selection."""
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
