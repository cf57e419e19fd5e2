"""The screen that asks for an approval. Only the key for yes means yes, and keys pressed too early are ignored."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from aci.observation.untrusted_text import escape_invisible
from agent.permissions.approvals import Answer, Approval, Kind, Scope
from extensions.interactive.tui.external_editor import open_editor
from extensions.interactive.tui.hunk_screen import HunksScreen
from extensions.interactive.tui.rendering.diff_rows import parse_diff
from extensions.interactive.tui.widgets.diff_view import DiffView
from extensions.interactive.tui.widgets.text_input import Entry

GRACE = 0.5
"""Number of seconds without input that must pass after the question is shown; earlier keys and clicks are not
answers."""
NAMED_LINES = 4
"""Maximum number of lines for paths, hosts and similar items; commands are shown in full, as the detail."""
LOW = 24
"""Minimum number of screen rows for showing the paths; smaller screens hide them to leave room for the diff."""
LONG_RULES = 120
"""Maximum number of characters of rules that are shown outside the scrolling detail; longer rules scroll with it."""
WIDE = 80
"""Minimum number of screen columns for showing the choices in two columns, which leaves more rows to the detail."""
FRAME = 3
"""Number of rows of the border, and of the status line below it."""
TYPING = "You were typing a text: press enter before you answer."
SHOWN_LINES = 4
"""Number of rows of the conversation that stay visible above the question."""
DETAIL_LINES = 3
"""Minimum number of rows of the detail."""
DIFFS: tuple[Kind, ...] = ("apply", "commit", "branch")
"""Kinds of approvals whose detail is a diff made by swe-agent. The details of other kinds are shown as text, because a
diff view hides everything that is not part of a diff."""


class ChoiceLine(Static):
    """A clickable label that shows a key and its effect."""

    def __init__(self, key: str, words: str, action: str) -> None:
        super().__init__(f"{key}  {words}", markup=False)
        self._action = action

    async def on_click(self) -> None:
        screen = self.screen
        if not isinstance(screen, ApprovalScreen) or not screen.is_early():
            await self.run_action(f"screen.{self._action}")


class ApprovalScreen(ModalScreen[Answer]):
    """Asks for an approval and returns the answer. `clock` returns the current time in seconds.

    If the user `was_typing`, letters are no answers until Enter, since they may belong to the text in the prompt.
    """

    DEFAULT_CSS = """
    ApprovalScreen {
        align: center bottom;
        background: transparent;
        #question {
            width: 100%; max-width: 140; height: auto; max-height: 100%; margin-bottom: 1;
            border: round $warning; background: $surface; padding: 0 1;
        }
        #title { text-style: bold; color: $text-warning; max-height: 4; }
        #message {
            height: auto; max-height: 8; background: $surface; scrollbar-size-vertical: 1;
            border-left: outer $primary; padding-left: 1;
        }
        #detail { height: auto; background: $surface; scrollbar-size-vertical: 1; }
        #choices { height: auto; margin-top: 1; }
        #typing { text-style: bold; }
        .aside { max-height: 4; color: $text-muted; }
        Choice:hover { background: $block-hover-background; }
        #reason, #reason:focus { display: none; height: 1; border: none; padding: 0; background: $panel; }
        &.-reasoning #choices, &.-reasoning .aside { display: none; }
        &.-reasoning #reason, &.-reasoning #reason:focus { display: block; }
        Entry, Entry:focus { display: none; background: $panel; max-height: 12; }
        #editing { display: none; color: $text-muted; margin-top: 1; }
        &.-editing #detail, &.-editing #choices, &.-editing .aside, &.-editing #message { display: none; }
        &.-editing Entry, &.-editing Entry:focus, &.-editing #editing { display: block; }
        &.-low #choices { margin-top: 0; }
        &.-columns #choices { layout: grid; grid-size: 2; grid-rows: auto; grid-gutter: 0 1; }
        &.-low #subject.-in-diff { display: none; }
        &.-low #message { max-height: 3; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes('once')", "yes, once"),
        Binding("s", "yes('session')", "yes, in this session"),
        Binding("a", "yes('project')", "yes, always in this project"),
        Binding("h", "hunks", "choose hunks"),
        Binding("e", "edit", "edit the message"),
        Binding("ctrl+g", "open_editor", "edit the message in your editor"),
        Binding("n", "no", "no"),
        Binding("r", "reason", "no, with a reason"),
        Binding("escape", "back", "no"),
    ]
    AUTO_FOCUS = "#detail"

    def __init__(
        self, approval: Approval, clock: Callable[[], float] = time.monotonic, was_typing: bool = False
    ) -> None:
        super().__init__()
        self.approval = approval
        self._was_typing = was_typing
        self._edited = ""
        """The message as the user edited it."""
        self._rules = ", ".join(map(escape_invisible, approval.always))
        self._clock = clock
        self._quiet: float | None = None
        """Start of the grace period: the time when the question was shown, or of the last early key; None before the
        question is shown."""

    def compose(self) -> ComposeResult:
        approval = self.approval
        detail, named = approval.detail or "\n".join(approval.parts), approval.subject
        if approval.kind == "command":  # a command is shown in full, regardless of its length
            detail, named = "\n\n".join(filter(None, (named, detail))), ""
        elif approval.kind == "network":  # the hosts are shown in full, after the commands that reach them
            detail, named = "\n\n".join(filter(None, (detail, f"Reachable hosts:\n{named}"))), ""
        if len(self._rules) > LONG_RULES:
            detail = f"{detail}\n\nA yes for the session or the project allows: {self._rules}"
        with Vertical(id="question"):
            yield Static(escape_invisible(approval.title), id="title", markup=False)
            if named and named not in approval.title:
                classes = "-in-diff" if approval.parts or approval.kind == "commit" else None
                yield Static(_shorten_subject(named), id="subject", classes=classes, markup=False)
            if approval.message:
                with VerticalScroll(id="message"):
                    yield Static(escape_invisible(approval.message), markup=False, id="text")
                yield Entry(lambda _: False)
                yield Static("esc: back with your changes · ctrl-g: your editor", id="editing")
            if detail:
                yield _detail_widget(detail, approval.kind)
            with Vertical(id="choices"):
                yield from self._choices()
            if self._was_typing:
                yield Static(TYPING, id="typing", markup=False)
            yield from self._aside()
            yield Input(placeholder="Why not? Enter sends, esc goes back", id="reason", compact=True)

    def _choices(self) -> ComposeResult:
        yield ChoiceLine("y", "yes, once", "yes('once')")
        if self._rules:
            yield ChoiceLine("s", "yes, in this session", "yes('session')")
            yield ChoiceLine("a", "yes, always in this project", "yes('project')")
        if len(self.approval.parts) > 1:
            yield ChoiceLine("h", f"choose among {len(self.approval.parts)} hunks", "hunks")
        if self.approval.message:
            yield ChoiceLine("e", "edit the message", "edit")
        yield ChoiceLine("n", "no; esc too, twice stops the turn", "no")
        yield ChoiceLine("r", "no, and say why", "reason")

    def _aside(self) -> ComposeResult:
        """Yield what a yes allows from now on, or why it holds only once."""
        if self._rules:
            rules = self._rules if len(self._rules) <= LONG_RULES else "the rules listed above"
            yield Static(f"s and a allow from now on: {rules}", classes="aside", markup=False)
        elif self.approval.why:
            yield Static(escape_invisible(self.approval.why), classes="aside", markup=False)

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Start the grace period, because the question is now visible."""
        self._quiet = self._clock()

    def on_resize(self) -> None:
        self.set_class(self.size.height < LOW, "-low")
        self.set_class(self.size.width >= WIDE, "-columns")
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the detail all rows that the other widgets do not need."""
        for detail in self.query("#detail"):
            question = self.query_one("#question")
            rest = sum(
                each.outer_size.height + each.styles.margin.height for each in question.children if each is not detail
            )
            detail.styles.max_height = max(DETAIL_LINES, self.size.height - rest - FRAME - SHOWN_LINES)
        self.call_after_refresh(self._make_room)

    def _make_room(self) -> None:
        """Move the end of the conversation above the question."""
        height = self.query_one("#question").outer_size.height + 1
        if self.is_current:
            self.post_message(self.Resized(height))

    class Resized(Message):
        """The question takes `height` rows at the bottom of the screen, with the status line below it."""

        def __init__(self, height: int) -> None:
            super().__init__()
            self.height = height

    def on_key(self, event: events.Key) -> None:
        """Ignore keys that are too early; they were meant for the previous screen."""
        is_early = self.is_early()
        if is_early or (self._was_typing and (event.is_printable or event.key == "enter")):
            event.prevent_default()
            event.stop()
        if self._was_typing and event.key == "enter" and not is_early:
            self._was_typing = False
            self.query_one("#typing").remove()

    def is_early(self) -> bool:
        """Return whether input is too early to be an answer; if so, the grace period starts again."""
        now = self._clock()
        if self._quiet is not None and now - self._quiet >= GRACE:
            return False
        self._quiet = now if self._quiet is not None else None
        return True

    def action_yes(self, scope: Scope) -> None:
        if scope == "once" or self.approval.always:
            self.dismiss(Answer(True, scope, message=self._edited))

    def action_no(self) -> None:
        self.dismiss(Answer(False))

    def action_reason(self) -> None:
        self.add_class("-reasoning")
        self.query_one(Input).focus()

    def action_back(self) -> None:
        if self.has_class("-reasoning") or self.has_class("-editing"):
            self._keep_message()
            self.remove_class("-reasoning", "-editing")
            self.set_focus(next(iter(self.query("#detail")), None))
            self.call_after_refresh(self._fit)
        else:
            self.action_no()

    def action_edit(self) -> None:
        if self.approval.message:
            self.add_class("-editing")
            editor = self.query_one(Entry)
            editor.put(self._edited or self.approval.message)
            editor.focus()
            self.call_after_refresh(self._make_room)

    def action_open_editor(self) -> None:
        if self.has_class("-editing"):
            editor, hint = self.query_one(Entry), self.query_one("#editing", Static)
            open_editor(self.app, editor.words, editor.put, hint.update)

    def _keep_message(self) -> None:
        """Keep the edited message; without any text, the message stays as it was."""
        if self.has_class("-editing") and (words := self.query_one(Entry).words.strip()):
            self._edited = words
            self.query_one("#text", Static).update(escape_invisible(words))

    @on(Input.Submitted)
    def _reason_given(self, event: Input.Submitted) -> None:
        self.dismiss(Answer(False, reason=event.value.strip()))

    def action_hunks(self) -> None:
        if len(self.approval.parts) > 1:
            self.app.push_screen(HunksScreen(self.approval.parts, self.approval.title), self._picked)

    def _picked(self, chosen: tuple[int, ...] | None) -> None:
        if chosen is not None:
            everything = len(chosen) == len(self.approval.parts)
            self.dismiss(Answer(True, chosen=None if everything else chosen))


def _detail_widget(detail: str, kind: Kind) -> Widget:
    if kind in DIFFS and any(line.startswith(("@@ ", "diff --git ")) for line in detail.split("\n")):
        view = DiffView(parse_diff(detail))
        view.id = "detail"
        return view
    return VerticalScroll(Static(escape_invisible(detail), markup=False), id="detail")


def _shorten_subject(subject: str) -> str:
    lines = escape_invisible(subject).split("\n")
    more = len(lines) - NAMED_LINES
    return "\n".join(lines if more <= 0 else [*lines[: NAMED_LINES - 1], f"and {more + 1} more"])
