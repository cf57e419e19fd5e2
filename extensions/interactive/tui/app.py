"""The Textual app of a session: passes input to the session, and the session's events to the widgets.

The first screen is drawn before the session is imported; input that arrives earlier is queued.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from shutil import get_terminal_size
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from extensions.interactive.tui import theme
from extensions.interactive.tui.dialogs import Dialogs
from extensions.interactive.tui.event_queue import EventQueue
from extensions.interactive.tui.garbage_collection import collect_less_often
from extensions.interactive.tui.notifications import Notifier
from extensions.interactive.tui.terminal_disconnect import call_on_signals, safe_stderr
from extensions.interactive.tui.terminal_sequences import writer
from extensions.interactive.tui.widgets.conversation_items import Item, ModelText, UserMessage
from extensions.interactive.tui.widgets.conversation_view import WALKING, Conversation
from extensions.interactive.tui.widgets.prompt import Prompt
from extensions.interactive.tui.widgets.side_panel import Panel
from extensions.interactive.tui.widgets.status_line import StatusLine
from trajectories.errors import Cancelled, SweAgentError, UsageError

if TYPE_CHECKING:
    from textual.filter import LineFilter

    from agent.config.session_preferences import Preferences
    from extensions.interactive.session.session import Session
    from extensions.interactive.session.session_events import Event
    from extensions.interactive.session.session_start import Start
    from extensions.interactive.session.session_status import Status
    from extensions.interactive.tui.approval_screen import ApprovalScreen
    from extensions.interactive.tui.event_views import RunReopened

LOOK_OUT = 5.0
"""Number of seconds between two checks for files that the user changed."""
CLOSING = 10.0
"""Maximum number of seconds for closing the session's workspaces."""
WIDE = 100
"""Minimum width of the terminal, in columns, for the side panel."""
KEYS = ("panel", "open", "open_all", "help_screen", "page", "end", "end_unless_typing")


def run(prepare: Callable[[], Start], preferences: Preferences) -> int:
    """Show a session until the user leaves; return its exit code.

    `prepare` returns the session's `Start`. It is called in a thread after the first screen is drawn; if it raises
    SweAgentError, the message is shown there.
    """
    # Disabled until the first screen is drawn, because there is little garbage and collecting it takes time.
    gc.disable()
    app = SessionApp(prepare, preferences)
    try:
        with safe_stderr(app.lost):
            app.run(mouse=preferences.mouse, inline=preferences.screen == "inline")
    finally:
        gc.enable()
        app.let_go()
        app.print_farewell()
    return app.return_code or 0


class SessionApp(App[int]):
    """The app of one session."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    INLINE_PADDING = 0
    """0, so that lines printed above the app remain visible when it exits."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (72, "-normal")]  # noqa: RUF012 - as in the parent class
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+b", "panel", "Panel", priority=True),
        Binding("ctrl+o", "open", "Open", priority=True),
        Binding("ctrl+t", "open_all", "Open all", priority=True),
        Binding("f1", "help_screen", "Help", priority=True),
        Binding("ctrl+l", "redraw", "Redraw", priority=True),
        Binding("pageup", "page(-1)", "Up", priority=True),
        Binding("pagedown", "page(1)", "Down", priority=True),
        Binding("end", "end_unless_typing", "End", priority=True),
        Binding("ctrl+end", "end", "End", priority=True),
        Binding("ctrl+q", "leave", "Quit", priority=True),
    ]

    def __init__(self, prepare: Callable[[], Start], preferences: Preferences) -> None:
        super().__init__()
        self.preferences = preferences
        theme.register(self, preferences.theme)
        self.session: Session | None = None
        self._prepare = prepare
        self._early: list[str] = []
        self._preparing = True
        self._leaving = self._ending = False
        self._wide: bool | None = None
        self._status_shown: Status | None = None
        self._run_id = ""
        self.dialogs = Dialogs(self, self.leave_room)
        self.write = writer(self)
        self.notifier = Notifier(self.write, preferences.notify)

    def compose(self) -> ComposeResult:
        with Horizontal(id="middle"):
            yield Conversation(self._secrets)
        yield Prompt()
        yield StatusLine()

    def get_css_variables(self) -> dict[str, str]:
        return theme.fixed_text_colours(super().get_css_variables())

    def get_line_filters(self) -> Sequence[LineFilter]:
        return theme.line_filters(self, super().get_line_filters())

    def on_mount(self) -> None:
        self.conversation = self.query_one(Conversation)
        self.conversation.set_class(self.is_inline, "-inline")
        self.prompt = self.query_one(Prompt)
        self.status = self.query_one(StatusLine)
        self.prompt.focus()
        call_on_signals(self._end)
        self.call_after_refresh(self._begin)

    def lost(self) -> None:
        """End the session because the terminal closed, with or without a signal. Thread-safe."""
        self.call_later(self._end)

    def _end(self) -> None:
        """End the session once; the process is killed if that takes too long."""
        if self._ending:
            return
        self._ending = True
        last = threading.Timer(CLOSING, os._exit, (Cancelled.code,))
        last.daemon = True
        last.start()
        if not self._leaving:
            self.action_leave()

    def _secrets(self) -> tuple[str, ...]:
        return self.session.engine.secrets if self.session and self.session.engine else ()

    # Start and end

    async def _begin(self) -> None:
        """Do the start-up work that the first screen does not need."""
        self.panel = Panel()
        self._wide = self.panel.display = self.size.width >= WIDE and not self.is_inline
        await self.query_one("#middle").mount(self.panel)
        self.event_queue = EventQueue(self.call_later, self._show_event)
        self.set_interval(0.25, self.show_status)
        self.set_interval(1.0, self._show_time)
        self.set_interval(LOOK_OUT, self._check_user_changes)
        self._start()

    def _check_user_changes(self) -> None:
        if self.session is not None and self.session.engine is not None:
            self.session.check_user_changes()

    def _start(self) -> None:
        self._preparing = True
        Thread(target=self._open, name="opening", daemon=True).start()

    def _open(self) -> None:
        """Open the session, in a thread, because importing it takes longer than drawing a screen."""
        from extensions.interactive.session.prompt_input.completion import Completer
        from extensions.interactive.session.prompt_input.prompt_history import History
        from extensions.interactive.session.session import Session

        try:
            session = Session(self._prepare(), self._post_event, can_ask=True)
        except SweAgentError as error:
            self.call_later(self._cannot_begin, f"{error.message} {error.fix}".strip())
            return
        history = History(session.settings.state, session.start.source.root)
        completer = Completer(session)
        self.session = session
        session.open()
        self.call_later(self._opened, session, history, completer)

    def _opened(self, session: Session, history: object, completer: object) -> None:
        self._preparing = False
        collect_less_often()
        self.prompt.take(history, completer)  # type: ignore[arg-type]
        for words in self._early:
            session.say(words)
        self._early.clear()
        self.show_status()

    def _cannot_begin(self, why: str) -> None:
        """Show why the session cannot start. The next input triggers another attempt."""
        self._preparing = False
        collect_less_often()
        self._early.clear()
        self.put(ModelText(why, "error"))

    @on(Prompt.Quit)
    def action_leave(self) -> None:
        """Close the session and then exit; exit immediately if called again."""
        if self._leaving or self.session is None:
            self.exit(0)
            return
        self._leaving = True
        Thread(target=self.session.close, name="closing", daemon=True).start()

    def let_go(self) -> None:
        """Close the session, regardless of how the app ended; the session's records are already on disk."""
        if self.session is not None:
            closing = Thread(target=self.session.close, name="closing", daemon=True)
            closing.start()
            closing.join(CLOSING)

    def print_farewell(self) -> None:
        """Print the output that remains on the terminal's normal screen after the app exits."""
        from extensions.interactive.tui.scrollback import farewell, print_strips

        if not self._mounted_event.is_set():
            return
        items = [] if self.preferences.screen == "inline" else self.conversation.items
        pen = replace(self.conversation.pen(), width=min(100, get_terminal_size().columns))
        bare = self.session is not None and self.session.start.source.bare
        apply = "/commit --branch NAME" if bare else "/apply"
        print_strips(farewell(items, self._status_shown, self._run_id, pen, apply))

    # User actions

    def _say(self, words: str) -> None:
        if self.session is not None:
            self.session.say(words)
            return
        self._early.append(words)
        if not self._preparing:
            self._start()

    @property
    def has_input(self) -> bool:
        """Whether the prompt contains text, or text was sent that waits for the session."""
        return bool(self.prompt.entry.text or self._early)

    @on(Prompt.Submitted)
    def _submitted(self, message: Prompt.Submitted) -> None:
        self.conversation.action_end()
        self._say(message.words)

    @on(Prompt.Steered)
    def _steered(self, message: Prompt.Steered) -> None:
        self.conversation.action_end()
        if self.session is None:
            self._say(message.words)
            return
        if self.session.steer(message.words):
            self.put(UserMessage(message.words, late=True))

    @on(Prompt.Interrupted)
    def _interrupted(self) -> None:
        if self.session is not None:
            self.session.interrupt()

    @on(Prompt.Resumed)
    def _resumed(self) -> None:
        if self.session is not None:
            self.session.go_on()

    @on(Prompt.Unqueued)
    def _unqueued(self) -> None:
        """Move the last queued message into the prompt, unless the prompt has text or the queue is empty."""
        if self.session is not None and not self.prompt.entry.text and (words := self.session.unqueue()):
            self.prompt.put(words)

    @on(Prompt.EditorRequested)
    def _edit_prompt(self) -> None:
        from extensions.interactive.tui.external_editor import open_editor

        open_editor(self, self.prompt.entry.words, self.prompt.put, self.prompt.show_hint)

    def fill_prompt(self, words: str) -> None:
        """Put a text into the prompt, for the user to send."""
        self.prompt.put(words)
        self.prompt.focus()

    def paste_picture(self) -> None:
        """Put the picture in the clipboard into the prompt; the programs that read it may take seconds."""
        self.run_worker(self._paste_picture, thread=True, exclusive=True, group="paste")

    def _paste_picture(self) -> None:
        from extensions.interactive.session.prompt_input.pasted_pictures import PASTED_FOLDER
        from extensions.interactive.tui.clipboard import save_picture

        if self.session is None:
            return
        try:
            picture = save_picture(self.session.settings.state / PASTED_FOLDER)
        except UsageError as error:
            self.call_from_thread(self.prompt.show_hint, f"{error.message} {error.fix}")
            return
        self.call_from_thread(self.prompt.entry.insert_pasted, str(picture))

    @on(Prompt.ModeSwitched)
    def _switched(self) -> None:
        mode = self.session.mode if self.session else "build"
        self._say(f"/mode {'plan' if mode == 'build' else 'build'}")

    def on_app_focus(self) -> None:
        self.notifier.focus(True)

    def on_unmount(self) -> None:
        self.notifier.restore()

    def on_app_blur(self) -> None:
        self.notifier.focus(False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text and report the result; Textual also calls this for selected text."""
        from extensions.interactive.tui.clipboard import copy

        engine = self.session.engine if self.session else None
        self._clipboard = text
        message = copy(self.write, text, engine.journal.directory if engine else None)
        if len(self.screen_stack) > 1:
            self.notify(message, timeout=3, markup=False)
        else:
            self.prompt.show_hint(message)

    def choose_theme(self, name: str) -> str:
        """Use another theme and return a message; without a name, list the themes."""
        return theme.choose_theme(self, name)

    @on(Conversation.Left)
    def _to_prompt(self) -> None:
        self.prompt.focus()

    @on(Panel.FileChosen)
    def _file_chosen(self, message: Panel.FileChosen) -> None:
        self._say(f"/diff {quote(message.path)}")

    async def on_event(self, event: events.Event) -> None:
        """Send keys to the prompt wherever the focus is, except the keys that move between steps and files."""
        if later := self.dialogs.yield_to_prompt(event):
            self.put(ModelText(later, "notice"))
        if isinstance(event, events.Paste) or (isinstance(event, events.Key) and event.key not in WALKING):
            for prompt in self.screen.query(Prompt):  # the screen of a dialog has no prompt
                if not prompt.entry.has_focus:
                    self.screen.set_focus(prompt.entry)
        if isinstance(event, events.Key) and self._mounted_event.is_set():
            self.conversation.typed()
        await super().on_event(event)

    def on_resize(self, event: events.Resize) -> None:
        self._make_room(event.size.width)

    def _make_room(self, width: int) -> None:
        """Show or hide the panel when the width crosses WIDE; otherwise keep the user's choice."""
        wide = width >= WIDE and not self.is_inline
        if self._wide not in (None, wide):
            self._wide = self.panel.display = wide

    def action_panel(self) -> None:
        self.panel.display = not self.panel.display

    def action_redraw(self) -> None:
        self.refresh(repaint=True, layout=True)

    def action_help_screen(self) -> None:
        self.dialogs.help(self.session)

    def on_approval_screen_resized(self, message: ApprovalScreen.Resized) -> None:
        self.leave_room(message.height)

    def leave_room(self, height: int) -> None:
        """Keep the end of the conversation above a dialog that covers `height` rows at the bottom; 0: there is none."""
        middle = self.conversation.parent
        if self.is_inline or not isinstance(middle, Horizontal):
            return
        covered = self.prompt.outer_size.height + self.status.outer_size.height
        middle.styles.margin = (0, 0, max(0, height - covered), 0)
        if height:
            self.conversation.action_end()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the conversation's keys while a dialog is open."""
        if action == "end_unless_typing" and self._mounted_event.is_set() and self.prompt.entry.text:
            return False
        return len(self.screen_stack) <= 1 or action not in KEYS

    def action_page(self, direction: int) -> None:
        self.conversation.page(direction)

    def action_end(self) -> None:
        self.conversation.action_end()

    action_end_unless_typing = action_end

    @on(Conversation.FollowingChanged)
    def _show_more_below(self, message: Conversation.FollowingChanged) -> None:
        self.prompt.show_more_below(not message.following)

    def action_open(self) -> None:
        self.conversation.action_open()
        self.conversation.focus()

    def action_open_all(self) -> None:
        self.conversation.open_all()

    # Session events

    def _show_time(self) -> None:
        """Update the time of the current activity."""
        if self.conversation.live and self.session is not None and self.session.state == "working":
            self.conversation.changed()

    def show_status(self) -> None:
        """Show the status only if it changed, because each update needs a new layout.

        Do nothing once the user leaves, because a closed session has no files to show.
        """
        if self.session is None or self._leaving:
            return
        if self.session.engine is not None:
            self._run_id = self.session.engine.run.id
        status = self.session.status
        status = replace(status, seconds=float(int(status.seconds)))
        if status != self._status_shown:
            self._status_shown = status
            self.status.show(status)
            self.panel.show(status)
            self.prompt.show(status)
            self.notifier.show_state(status.state, Path.cwd().name)

    def _post_event(self, event: Event) -> None:
        """Queue an event; called in the session's threads."""
        from extensions.interactive.tui.event_views import snapshot_event

        if (kept := snapshot_event(event, self.session)) is not None:
            self.event_queue.post(kept)

    def _show_event(self, event: Event | RunReopened) -> None:
        from extensions.interactive.tui.event_views import show

        if self.session is not None:
            show(self, self.session, event)

    def put(self, *items: Item) -> None:
        """Add items to the conversation."""
        if not self.is_inline:
            self.conversation.add(*items)
            return
        from extensions.interactive.tui.inline_mode import print_above
        from extensions.interactive.tui.scrollback import draw_items

        print_above(self, draw_items(items, self.conversation.pen()))
        self.conversation.changed()
