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
from textual.widget import Widget
from textual.widgets import Input, Static

from aci.view import clean
from agent.approvals import Answer, Approval, Scope
from agent.tui.diff_lines import read
from agent.tui.diff_view import DiffView
from agent.tui.hunks import HunksScreen

GRACE = 0.5
"""Seconds without a key before one counts: what is typed when the question appears is no answer to it."""
SUBJECT_LINES = 4
LOW = 24
"""Rows under which a diff takes the place of the paths that it names."""
DETAIL_LINES = 3
"""Rows that a detail has at least."""


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
            width: 100%; max-width: 140; height: auto; max-height: 100%;
            border: round $warning; background: $surface; padding: 0 1;
        }
        #title { text-style: bold; color: $text-warning; }
        #detail { height: auto; background: $surface; scrollbar-size-vertical: 1; }
        #choices { height: auto; margin-top: 1; }
        .aside { color: $text-muted; padding-left: 3; }
        Choice:hover { background: $block-hover-background; }
        #reason, #reason:focus { display: none; height: 1; border: none; padding: 0; background: $panel; }
        &.-reasoning #choices { display: none; }
        &.-reasoning #reason, &.-reasoning #reason:focus { display: block; }
        &.-low #choices { margin-top: 0; }
        &.-low #subject.-named { display: none; }
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
    ]
    AUTO_FOCUS = "#detail"

    def __init__(self, approval: Approval, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.approval = approval
        self._clock = clock
        self._quiet = clock()

    def compose(self) -> ComposeResult:
        approval = self.approval
        detail = approval.detail or "\n".join(approval.parts)
        with Vertical(id="question"):
            yield Static(clean(approval.title), id="title", markup=False)
            if approval.subject and approval.subject not in approval.title:
                named = "-named" if approval.parts else None
                yield Static(_shortened(approval.subject), id="subject", classes=named, markup=False)
            if detail:
                yield _shown(detail)
            with Vertical(id="choices"):
                yield from self._choices()
            yield Input(placeholder="Why not? Enter tells it, esc goes back", id="reason", compact=True)

    def _choices(self) -> ComposeResult:
        rules = ", ".join(map(clean, self.approval.always))
        yield Choice("y", "yes, once", "yes('once')")
        if rules:
            yield Choice("s", "yes, in this session", "yes('session')")
            yield Choice("a", "yes, always in this project", "yes('project')")
            yield Static(f"both allow: {rules}", classes="aside", markup=False)
        elif self.approval.why:
            yield Static(clean(self.approval.why), classes="aside", markup=False)
        if len(self.approval.parts) > 1:
            yield Choice("h", f"choose among {len(self.approval.parts)} hunks", "hunks")
        yield Choice("n", "no; esc too, twice stops the turn", "no")
        yield Choice("r", "no, and say why", "reason")

    def on_resize(self) -> None:
        self.set_class(self.size.height < LOW, "-low")
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Leave to the detail the rows that the rest does not need."""
        for detail in self.query("#detail"):
            question = self.query_one("#question")
            rest = sum(
                each.outer_size.height + each.styles.margin.height for each in question.children if each is not detail
            )
            detail.styles.max_height = max(DETAIL_LINES, self.size.height - rest - 2)

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
            self.set_focus(next(iter(self.query("#detail")), None))
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


def _shown(detail: str) -> Widget:
    if any(line.startswith(("@@ ", "diff --git ")) for line in detail.split("\n")):
        view = DiffView(read(detail))
        view.id = "detail"
        return view
    return VerticalScroll(Static(clean(detail), markup=False), id="detail")


def _shortened(subject: str) -> str:
    lines = clean(subject).split("\n")
    more = len(lines) - SUBJECT_LINES
    return "\n".join(lines if more <= 0 else [*lines[: SUBJECT_LINES - 1], f"and {more + 1} more"])
