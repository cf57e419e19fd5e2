"""The screen for choosing one of a few options."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.worker import get_current_worker

from aci.observation.untrusted_text import escape_invisible, one_line
from extensions.interactive.tui import approval_screen

Option = tuple[str, str]
"""The name of an option, and what it means."""


class ChoiceScreen(ModalScreen[int | None]):
    """Shows a title, a text and options; returns the index of the chosen option, or None.

    `read` returns the options; it may take a second and is called in a thread.
    """

    DEFAULT_CSS = """
    ChoiceScreen {
        align: center bottom;
        #choice {
            width: 100%; max-width: 140; height: auto; max-height: 100%;
            border: round $primary; background: $surface; padding: 0 1;
        }
        #title { text-style: bold; color: $text-primary; height: 1; }
        #text, #keys { color: $text-muted; height: auto; }
        OptionList, OptionList:focus {
            height: auto; max-height: 14; border: none; padding: 0; margin: 1 0; background: $surface;
            text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
        }
        OptionList > .option-list--option-highlighted {
            color: $block-cursor-foreground; background: $block-cursor-background; text-style: $block-cursor-text-style;
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "decide later")]
    AUTO_FOCUS = "OptionList"

    def __init__(
        self, title: str, text: str, read: Callable[[], list[Option]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._heading = title
        self._text = text
        self._read = read
        self._clock = clock
        self._quiet = clock()
        """When the options were shown, or the time of the last key that was too early."""
        self._is_shown = False
        """Whether the options are shown."""

    def compose(self) -> ComposeResult:
        with Vertical(id="choice"):
            yield Static(escape_invisible(self._heading), id="title", markup=False)
            yield Static(escape_invisible(self._text), id="text", markup=False)
            yield OptionList(compact=True)
            yield Static("Looking for models", id="keys", markup=False)

    def on_mount(self) -> None:
        self._find()

    @work(thread=True)
    def _find(self) -> None:
        worker, options = get_current_worker(), self._read()
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show, options)

    def _show(self, options: list[Option]) -> None:
        listed, wide = self.query_one(OptionList), max(len(name) for name, _ in options)
        listed.add_options(
            Content.assemble(f"{one_line(name):<{wide}}  ", (one_line(meaning), "$text-muted"))
            for name, meaning in options
        )
        listed.highlighted = 0
        self.query_one("#keys", Static).update("up, down, enter chooses · esc decides later")
        self._quiet, self._is_shown = self._clock(), True

    def is_early(self) -> bool:
        """Return whether Enter is for the prompt, because the user pressed it before seeing the options."""
        return not self._is_shown or self._is_in_grace()

    def _is_in_grace(self) -> bool:
        return self._clock() - self._quiet < approval_screen.GRACE

    def on_key(self, event: events.Key) -> None:
        """Ignore keys that come too early, since the user was typing something else."""
        if self._is_in_grace():
            self._quiet = self._clock()
            event.prevent_default()
            event.stop()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)
