"""The session as a Textual app: hands keys and words to the session, and the session's events to what shows them.

The first screen is painted before the session is even imported; what is typed until then waits.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from agent.tui import theme
from agent.tui.conversation import Conversation
from agent.tui.mailbox import Mailbox
from agent.tui.panel import Panel
from agent.tui.prompt import Prompt
from agent.tui.status import StatusLine
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from agent.session.events import Event
    from agent.session.preferences import Preferences
    from agent.session.session import Session, Start

CLOSING = 10.0
"""Seconds that the session may take to let go of its workspaces."""
WIDE = 100
"""Columns from which on there is room for the panel."""


def run(prepare: Callable[[], Start], preferences: Preferences) -> int:
    """Show a session until its user leaves; the exit code. `prepare` says what it begins with, and is called in a
    thread, once the screen stands; what it raises (SweAgentError) is shown there."""
    app = SessionApp(prepare, preferences)
    try:
        app.run(mouse=preferences.mouse, inline=preferences.screen == "inline")
    finally:
        app.let_go()
    return app.return_code or 0


class SessionApp(App[int]):
    """One session, shown."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+b", "panel", "Panel", priority=True),
        Binding("ctrl+o", "open", "Open"),
        Binding("ctrl+t", "open_all", "Open all", priority=True),
        Binding("f1", "help_screen", "Help", priority=True),
        Binding("ctrl+l", "redraw", "Redraw", priority=True),
        Binding("pageup", "page(-1)", "Up", priority=True),
        Binding("pagedown", "page(1)", "Down", priority=True),
        Binding("ctrl+q", "leave", "Quit", priority=True),
    ]

    def __init__(self, prepare: Callable[[], Start], preferences: Preferences) -> None:
        super().__init__()
        self.preferences = preferences
        self.session: Session | None = None
        self._prepare = prepare
        self._early: list[str] = []
        self._preparing = True
        self._leaving = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="middle"):
            yield Conversation()
            yield Panel()
        yield Prompt()
        yield StatusLine()

    def on_mount(self) -> None:
        theme.register(self, self.preferences.theme)
        self.conversation = self.query_one(Conversation)
        self.panel = self.query_one(Panel)
        self.prompt = self.query_one(Prompt)
        self.status = self.query_one(StatusLine)
        self.panel.display = self.size.width >= WIDE
        self.prompt.focus()
        self.mailbox = Mailbox(self.call_later, self._hear, self._show_status)
        self.set_interval(1.0, self._show_status)
        self.call_after_refresh(self._begin)

    # The session begins

    def _begin(self) -> None:
        self._preparing = True
        Thread(target=self._open, name="opening", daemon=True).start()

    def _open(self) -> None:
        """In a thread of its own: what a session needs takes longer to load than a screen to paint."""
        from agent.session.session import Session

        try:
            session = Session(self._prepare(), self.mailbox.post)
        except SweAgentError as error:
            self.call_later(self._cannot_begin, f"{error.message} {error.fix}".strip())
            return
        session.open()
        self.call_later(self._opened, session)

    def _opened(self, session: Session) -> None:
        self.session, self._preparing = session, False
        for words in self._early:
            session.say(words)
        self._early.clear()
        self._show_status()

    def _cannot_begin(self, why: str) -> None:
        """Words that come now are tried again: what is wrong may have been mended meanwhile."""
        self._preparing = False
        self.conversation.add(why)

    # What the user does

    def _say(self, words: str) -> None:
        if self.session is not None:
            self.session.say(words)
            return
        self._early.append(words)
        if not self._preparing:
            self._begin()

    @on(Prompt.Submitted)
    def _submitted(self, message: Prompt.Submitted) -> None:
        self._say(message.words)

    @on(Prompt.Steered)
    def _steered(self, message: Prompt.Steered) -> None:
        if self.session is not None:
            self.session.steer(message.words)
        else:
            self._say(message.words)

    @on(Prompt.Interrupted)
    def _interrupted(self) -> None:
        if self.session is not None:
            self.session.interrupt()

    @on(Prompt.ModeSwitched)
    def _switched(self) -> None:
        mode = self.session.mode if self.session else "build"
        self._say(f"/mode {'plan' if mode == 'build' else 'build'}")

    @on(Prompt.Quit)
    def action_leave(self) -> None:
        """Ends when the session has let go of its run; at once when asked again."""
        if self._leaving or self.session is None:
            self.exit(0)
            return
        self._leaving = True
        Thread(target=self.session.close, name="closing", daemon=True).start()

    def let_go(self) -> None:
        """Close the session, however the app ended; what it did is on disk already."""
        if self.session is not None:
            closing = Thread(target=self.session.close, name="closing", daemon=True)
            closing.start()
            closing.join(CLOSING)

    def action_panel(self) -> None:
        self.panel.display = not self.panel.display

    def action_redraw(self) -> None:
        self.refresh(repaint=True, layout=True)

    # What the session does

    def _show_status(self) -> None:
        if self.session is not None:
            status = self.session.status
            self.status.show(status)
            self.panel.show(status)
            self.prompt.show(status)

    def _hear(self, event: Event) -> None:
        from agent.session import events

        match event:
            case events.Began(_, words):
                self.conversation.add(words)
            case events.Stepped(step, reply):
                self.conversation.add(reply.text if reply else step.author)
            case events.Told(text):
                self.conversation.add(text)
            case events.Stopped(error):
                self.conversation.add(f"{error.message} {error.fix}")
            case events.Closed():
                self.exit(0)
            case _:
                pass
