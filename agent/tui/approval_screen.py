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

from aci.cleaning import visible
from agent.approvals import Answer, Approval, Kind, Scope
from agent.tui.diff_lines import read
from agent.tui.diff_view import DiffView
from agent.tui.hunks import HunksScreen

GRACE = 0.5
"""Seconds without a key or click, since the question is seen, before one counts: what comes earlier is no answer."""
NAMED_LINES = 4
"""Of paths, hosts and the like; a command is shown whole, as the detail."""
LOW = 24
"""Rows under which a diff takes the place of the paths that it names."""
LONG_RULES = 120
"""Characters of rules from which on they scroll with the detail."""
DETAIL_LINES = 3
"""Rows that a detail has at least."""
DIFFS: tuple[Kind, ...] = ("apply", "commit", "branch")
"""Kinds whose detail is a diff that we made. All else is shown as text: a diff's view leaves out what is no diff."""


class Choice(Static):
    """A key and what it does; can be clicked."""

    def __init__(self, key: str, words: str, action: str) -> None:
        super().__init__(f"{key}  {words}", markup=False)
        self._action = action

    async def on_click(self) -> None:
        screen = self.screen
        if not isinstance(screen, ApprovalScreen) or not screen.is_early():
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
        #title { text-style: bold; color: $text-warning; max-height: 4; }
        #message { height: auto; max-height: 8; background: $surface; scrollbar-size-vertical: 1; }
        #detail { height: auto; background: $surface; scrollbar-size-vertical: 1; }
        #choices { height: auto; margin-top: 1; }
        .aside { max-height: 4; color: $text-muted; padding-left: 3; }
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
        self._rules = ", ".join(map(visible, approval.always))
        self._clock = clock
        self._quiet: float | None = None
        """When the last key came too early, or the question was first shown; None before it is."""

    def compose(self) -> ComposeResult:
        approval = self.approval
        detail, named = approval.detail or "\n".join(approval.parts), approval.subject
        if approval.kind == "command":  # whole, however long
            detail, named = "\n\n".join(filter(None, (named, detail))), ""
        if len(self._rules) > LONG_RULES:
            detail = f"{detail}\n\nA yes for longer than once allows: {self._rules}"
        with Vertical(id="question"):
            yield Static(visible(approval.title), id="title", markup=False)
            if named and named not in approval.title:
                yield Static(
                    _shortened(named), id="subject", classes="-named" if approval.parts else None, markup=False
                )
            if approval.message:
                yield VerticalScroll(Static(visible(approval.message), markup=False), id="message")
            if detail:
                yield _shown(detail, approval.kind)
            with Vertical(id="choices"):
                yield from self._choices()
            yield Input(placeholder="Why not? Enter tells it, esc goes back", id="reason", compact=True)

    def _choices(self) -> ComposeResult:
        yield Choice("y", "yes, once", "yes('once')")
        if self._rules:
            rules = self._rules if len(self._rules) <= LONG_RULES else "what stands at the end above"
            yield Choice("s", "yes, in this session", "yes('session')")
            yield Choice("a", "yes, always in this project", "yes('project')")
            yield Static(f"both allow: {rules}", classes="aside", markup=False)
        elif self.approval.why:
            yield Static(visible(self.approval.why), classes="aside", markup=False)
        if len(self.approval.parts) > 1:
            yield Choice("h", f"choose among {len(self.approval.parts)} hunks", "hunks")
        yield Choice("n", "no; esc too, twice stops the turn", "no")
        yield Choice("r", "no, and say why", "reason")

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """From now on the question can be read."""
        self._quiet = self._clock()

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
        if self.is_early():
            event.prevent_default()
            event.stop()

    def is_early(self) -> bool:
        """Whether what comes now was meant for what was there before; then it is quiet from now on."""
        now = self._clock()
        if self._quiet is not None and now - self._quiet >= GRACE:
            return False
        self._quiet = now if self._quiet is not None else None
        return True

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


def _shown(detail: str, kind: Kind) -> Widget:
    if kind in DIFFS and any(line.startswith(("@@ ", "diff --git ")) for line in detail.split("\n")):
        view = DiffView(read(detail))
        view.id = "detail"
        return view
    return VerticalScroll(Static(visible(detail), markup=False), id="detail")


def _shortened(subject: str) -> str:
    lines = visible(subject).split("\n")
    more = len(lines) - NAMED_LINES
    return "\n".join(lines if more <= 0 else [*lines[: NAMED_LINES - 1], f"and {more + 1} more"])
