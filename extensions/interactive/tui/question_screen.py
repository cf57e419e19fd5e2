"""The screen for a multiple-choice question of the model: an option, the user's own words, or neither."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from aci.observation.untrusted_text import escape_invisible
from agent.permissions.approvals import Answer, Approval
from extensions.interactive.tui import approval_screen

KEYS = "enter chooses · tab: write another answer · esc leaves it to the model"
SHORT_KEYS = "enter · tab: write · esc: leave it"


class QuestionScreen(ModalScreen[Answer]):
    """Shows a question with its options; returns the answer. Keys pressed too early are ignored, since the user was
    typing something else. `clock` returns the current time in seconds."""

    DEFAULT_CSS = """
    QuestionScreen {
        align: center bottom;
        background: transparent;
        #question {
            width: 100%; max-width: 140; height: auto; max-height: 100%; margin-bottom: 1;
            border: round $primary; background: $surface; padding: 0 1;
        }
        #title { text-style: bold; color: $text-primary; height: auto; max-height: 6; }
        #keys { color: $text-muted; height: auto; }
        OptionList, OptionList:focus {
            height: auto; max-height: 9; border: none; padding: 0; margin: 1 0; background: $surface;
            scrollbar-size-vertical: 1;
        }
        OptionList > .option-list--option-highlighted {
            color: $block-cursor-foreground; background: $block-cursor-background; text-style: $block-cursor-text-style;
        }
        Input, Input:focus { height: 1; border: none; padding: 0; background: $panel; }
        &.-low OptionList, &.-low OptionList:focus { margin: 0; max-height: 6; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave it to the model")]
    AUTO_FOCUS = "OptionList"

    def __init__(self, approval: Approval, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.approval = approval
        self._clock = clock
        self._quiet = clock()
        """When the question was shown, or the time of the last key that was too early."""

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(escape_invisible(self.approval.title), id="title", markup=False)
            yield OptionList(*map(_option, enumerate(self.approval.choices, 1)), compact=True)
            yield Input(placeholder="another answer; enter sends it", id="words", compact=True)
            yield Static(KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self._quiet = self._clock()

    def on_resize(self) -> None:
        self.set_class(self.size.height < approval_screen.LOW, "-low")
        self.query_one("#keys", Static).update(KEYS if self.size.width >= approval_screen.WIDE else SHORT_KEYS)
        self.call_after_refresh(self._make_room)

    def _make_room(self) -> None:
        """Move the end of the conversation above the question."""
        if self.is_current:
            height = self.query_one("#question").outer_size.height + 1
            self.post_message(approval_screen.ApprovalScreen.Resized(height))

    def on_key(self, event: events.Key) -> None:
        if self._clock() - self._quiet < approval_screen.GRACE:
            self._quiet = self._clock()
            event.prevent_default()
            event.stop()

    def action_leave(self) -> None:
        self.dismiss(Answer(False))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(Answer(True, chosen=(event.option_index,)))

    @on(Input.Submitted)
    def _written(self, event: Input.Submitted) -> None:
        if words := event.value.strip():
            self.dismiss(Answer(True, reason=words))


def _option(numbered: tuple[int, str]) -> Content:
    number, text = numbered
    return Content(f"{number}  {escape_invisible(text)}")
