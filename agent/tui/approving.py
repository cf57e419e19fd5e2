"""The question before something leaves the workspace. Nothing is a yes but its key, and no key that was on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from aci.view import clean
from agent.approvals import Answer, Approval, Scope
from agent.tui.coloured import coloured
from agent.tui.hunks import HunksScreen

GRACE = 0.5
"""Seconds without a key before one counts: what is typed when the question appears is no answer to it."""
SUBJECT_LINES = 4


class Choice(Static):
    """A key and what it does; can be clicked."""

    def __init__(self, key: str, words: str, action: str) -> None:
        super().__init__(f"{key}  {words}", markup=False)
        self._action = action

    async def on_click(self) -> None:
        await self.run_action(f"screen.{self._action}")


class ApprovalScreen(ModalScreen[Answer]):
    """Ends with the user's answer. `clock` tells seconds."""

    DEFAULT_CSS = """
    ApprovalScreen {
        align: center bottom;
        #question {
            width: 100%; max-width: 120; height: auto; max-height: 100%;
            border: round $warning; background: $surface; padding: 0 1;
        }
        #title { text-style: bold; color: $text-warning; }
        #subject { color: $text; max-height: 4; }
        #detail { height: auto; max-height: 50vh; min-height: 1; scrollbar-size-vertical: 1; margin: 1 0; }
        #why { color: $text-muted; }
        Choice { color: $text; }
        Choice:hover { background: $block-hover-background; }
        #reason { display: none; height: 1; border: none; padding: 0; background: $panel; }
        &.-reasoning Choice, &.-reasoning #why { display: none; }
        &.-reasoning #reason { display: block; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes('once')", "yes, once"),
        Binding("s", "yes('session')", "yes, in this session"),
        Binding("a", "yes('project')", "yes, always in this project"),
        Binding("h", "hunks", "choose hunks"),
        Binding("n", "no", "no"),
        Binding("r", "reason", "no, with a reason"),
        Binding("escape", "back", "no"),
        Binding("up", "scroll(-1)", "up"),
        Binding("down", "scroll(1)", "down"),
        Binding("pageup", "scroll(-10)", "up"),
        Binding("pagedown", "scroll(10)", "down"),
    ]
    AUTO_FOCUS = None

    def __init__(self, approval: Approval, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.approval = approval
        self._clock = clock
        self._quiet = clock()

    def compose(self) -> ComposeResult:
        approval = self.approval
        with Vertical(id="question"):
            yield Static(clean(approval.title), id="title", markup=False)
            if approval.subject and approval.subject != approval.title:
                yield Static(_shortened(approval.subject), id="subject", markup=False)
            if detail := approval.detail or "\n".join(approval.parts):
                with VerticalScroll(id="detail", can_focus=False):
                    yield Static(coloured(detail))
            yield from self._choices()
            yield Input(placeholder="Why not? Enter tells it, esc goes back", id="reason", compact=True)

    def _choices(self) -> ComposeResult:
        rules = ", ".join(map(clean, self.approval.always))
        yield Choice("y", "yes, once", "yes('once')")
        if rules:
            yield Choice("s", f"yes, in this session: {rules}", "yes('session')")
            yield Choice("a", f"yes, always in this project: {rules}", "yes('project')")
        elif self.approval.why:
            yield Static(f"   {clean(self.approval.why)}", id="why", markup=False)
        if len(self.approval.parts) > 1:
            yield Choice("h", f"choose among {len(self.approval.parts)} hunks", "hunks")
        yield Choice("n", "no (esc; once more stops the turn)", "no")
        yield Choice("r", "no, and say why", "reason")

    def on_key(self, event: events.Key) -> None:
        """Keys that come too early are for what was there before."""
        now = self._clock()
        if now - self._quiet < GRACE:
            self._quiet = now
            event.prevent_default()
            event.stop()

    def action_yes(self, scope: Scope) -> None:
        if scope == "once" or self.approval.always:
            self.dismiss(Answer(True, scope))

    def action_no(self) -> None:
        self.dismiss(Answer(False))

    def action_reason(self) -> None:
        self.add_class("-reasoning")
        self.query_one(Input).focus()

    def action_back(self) -> None:
        if self.has_class("-reasoning"):
            self.remove_class("-reasoning")
            self.set_focus(None)
        else:
            self.action_no()

    @on(Input.Submitted)
    def _told(self, event: Input.Submitted) -> None:
        self.dismiss(Answer(False, reason=event.value.strip()))

    def action_hunks(self) -> None:
        if len(self.approval.parts) > 1:
            self.app.push_screen(HunksScreen(self.approval.parts, self.approval.title), self._picked)

    def _picked(self, chosen: tuple[int, ...] | None) -> None:
        if chosen is not None:
            everything = len(chosen) == len(self.approval.parts)
            self.dismiss(Answer(True, chosen=None if everything else chosen))

    def action_scroll(self, lines: int) -> None:
        for detail in self.query("#detail"):
            detail.scroll_relative(y=lines, animate=False)


def _shortened(subject: str) -> str:
    lines = clean(subject).split("\n")
    more = len(lines) - SUBJECT_LINES
    return "\n".join(lines if more <= 0 else [*lines[: SUBJECT_LINES - 1], f"and {more + 1} more"])
