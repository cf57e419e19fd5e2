"""Where a user types: many lines, history, completion, the queue. It sends messages, decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static, TextArea

from aci.cleaning import one_line
from agent.session.status import Status
from agent.tui.completing import Complete, Completions
from agent.tui.entry import Entry
from agent.tui.recalling import History, Recalling, Recent
from agent.tui.wording import LEAVE, placeholder, waiting

MARGIN = 5
"""Columns of the prompt that its words do not have."""
SEARCH = "History: {query}▏ ctrl-r older, enter takes it, esc back"
NO_MORE = "History: {query}▏ nothing older has it; enter, esc"


class Prompt(Vertical):
    """`show` tells it how the session stands, `put` gives it words to edit."""

    DEFAULT_CSS = """
    Prompt {
        height: auto;
        #queued, #hint { display: none; height: auto; padding: 0 1; color: $text-muted; }
        #queued.-some, #hint.-some { display: block; }
        #line { height: auto; padding: 0 1; border-top: solid $primary; border-bottom: solid $primary; }
        #mark { width: 2; height: 1; color: $primary; text-style: bold; }
        &.-plan #line { border-top: solid $warning; border-bottom: solid $warning; }
        &.-plan #mark { color: $warning; }
        &.-shell #line { border-top: solid $success; border-bottom: solid $success; }
        &.-shell #mark, &.-shell Entry { color: $success; }
    }
    """

    @dataclass
    class Submitted(Message):
        """Do this, now or when what is under way has ended."""

        words: str

    @dataclass
    class Steered(Message):
        """Tell this to the model at its next step."""

        words: str

    class Interrupted(Message):
        """Stop what is under way."""

    class Resumed(Message):
        """Go on with what was stopped: Enter on an empty prompt."""

    class Unqueued(Message):
        """Give back the last words of the queue, for editing: see `put`."""

    class ModeSwitched(Message):
        """The other of build and plan."""

    class Quit(Message):
        """End the session."""

    def __init__(self, history: History | None = None, complete: Complete | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entry = Entry(self._key)
        self.completions = Completions()
        self._recalling = Recalling(history or Recent())
        self._complete = complete
        self._status: Status | None = None
        self._leaving = False
        self._offered = ("", 0)
        """The text and the cursor for which choices are shown."""
        self._settled = ""
        """The text that came by completion, history or esc: nothing is offered for it until it changes."""
        self._actions: dict[str, Callable[[], bool]] = {
            "enter": self._send,
            "ctrl+s": self._steer,
            "ctrl+j": self._new_line,
            "alt+enter": self._new_line,
            "shift+enter": self._new_line,
            "escape": lambda: self._post(self.Interrupted()),
            "shift+tab": lambda: self._post(self.ModeSwitched()),
            "tab": self._tab,
            "up": self._up,
            "down": self._down,
            "ctrl+r": self._search,
            "ctrl+c": self._clear,
            "ctrl+d": self._leave,
        }

    def compose(self) -> ComposeResult:
        yield Static(id="queued", markup=False)
        yield self.completions
        yield Static(id="hint", markup=False)
        with Horizontal(id="line"):
            yield Static(">", id="mark", markup=False)
            yield self.entry

    # What others tell it

    def show(self, status: Status) -> None:
        """How the session stands: what can be typed now, and what waits."""
        self._status = status
        self.on_resize()
        self.set_class(status.mode == "plan", "-plan")
        self._say("#queued", waiting(status.queued))

    def on_resize(self) -> None:
        """An empty prompt says what there is room for."""
        self.entry.placeholder = placeholder(self._status, self.app.size.width - MARGIN)

    def put(self, words: str) -> None:
        """Words to edit, in place of what was there."""
        self._settled = self.entry.put(words)
        self.completions.offer(())

    def tell(self, words: str) -> None:
        """Say something small, until the next key."""
        self._say("#hint", words)

    def take(self, history: History, complete: Complete) -> None:
        """Another history and other completions: those of a session that has been opened."""
        self._recalling, self._complete = Recalling(history), complete

    def focus(self, scroll_visible: bool = True) -> Prompt:
        self.entry.focus(scroll_visible)
        return self

    # Keys: a method says whether it has seen to the key, else the lines do

    def _key(self, event: events.Key) -> bool:
        if self._recalling.query is None and not (self._leaving and event.key == "ctrl+c"):
            self._leaving = False
            self.tell("")
        if self._recalling.query is not None and self._searched(event):
            return True
        if self.completions.is_open:
            self._keep_up()
            if self.completions.is_open and self._chose(event.key):
                return True
        action = self._actions.get(event.key)
        return action is not None and action()

    def _post(self, message: Message) -> bool:
        self.post_message(message)
        return True

    def _send(self) -> bool:
        words = self.entry.words.strip()
        if words:
            self._sent(self.Submitted(words))
        elif self._status is not None and self._status.state == "paused":
            self.post_message(self.Resumed())
        return True

    def _steer(self) -> bool:
        if words := self.entry.words.strip():
            self._sent(self.Steered(words))
        return True

    def _sent(self, message: Submitted | Steered) -> None:
        self._recalling.history.add(message.words)
        self._recalling.done()
        self.put("")
        self.post_message(message)

    def _new_line(self) -> bool:
        self.entry.insert("\n", maintain_selection_offset=False)
        return True

    def _clear(self) -> bool:
        """ctrl-c: copies what is selected, else empties the prompt, else ends the session when pressed twice."""
        if selected := self.entry.selected_text or self.screen.get_selected_text():
            self.app.copy_to_clipboard(selected)
        elif self.entry.text:
            self._recalling.done()
            self.put("")
        elif self._leaving:
            self.post_message(self.Quit())
        else:
            self._leaving = True
            self.tell(LEAVE)
        return True

    def _leave(self) -> bool:
        return not self.entry.text and self._post(self.Quit())

    # History

    def _up(self) -> bool:
        if not self.entry.cursor_at_first_line:
            return False
        if not self.entry.text and self._status is not None and self._status.queued:
            self.post_message(self.Unqueued())
        elif (words := self._recalling.older(self.entry.words)) is not None:
            self.put(words)
        return True

    def _down(self) -> bool:
        if not self.entry.cursor_at_last_line:
            return False
        if (words := self._recalling.newer()) is not None:
            self.put(words)
        return True

    def _search(self) -> bool:
        self._recalling.search(self.entry.words)
        self.tell(SEARCH.format(query=""))
        return True

    def _searched(self, event: events.Key) -> bool:
        """A key while the history is searched; one that means nothing there ends the search and does its own work."""
        recalling = self._recalling
        hint = SEARCH
        if event.key in ("escape", "ctrl+c", "ctrl+g"):
            self.put(recalling.give_up())
        elif event.key == "ctrl+r" or event.key == "backspace" or event.is_printable:
            if (found := recalling.narrow(event.key, event.character or "")) is not None:
                self.put(found)
            elif recalling.query:
                hint = NO_MORE
        else:
            recalling.query = None
        self.tell("" if recalling.query is None else hint.format(query=recalling.query))
        return recalling.query is not None or event.key in ("escape", "ctrl+c", "ctrl+g", "enter")

    # Completion

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        text = self.entry.text
        self.set_class(text.startswith("!"), "-shell")
        if text != self._settled:
            self._settled = ""
            self._offer()

    @on(TextArea.SelectionChanged)
    def _moved(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        if self.completions.is_open:
            self._keep_up()

    def _keep_up(self) -> None:
        """Keys may be faster than the news of what they changed."""
        if self._offered != (self.entry.text, self.entry.at):
            self._offer()

    def _offer(self) -> None:
        """Show what may be meant at the cursor."""
        self._offered = (self.entry.text, self.entry.at)
        self.completions.offer(self._complete(self.entry.text, self.entry.at) if self._complete else ())

    def _tab(self) -> bool:
        if self.entry.text:
            self._offer()
        return True

    def _chose(self, key: str) -> bool:
        """A key while choices are shown."""
        if key == "escape":
            self._settled = self.entry.text
            self.completions.offer(())
        elif key in ("up", "ctrl+p", "down", "ctrl+n"):
            self.completions.move(-1 if key in ("up", "ctrl+p") else 1)
        elif key == "tab" or (key == "enter" and self.completions.takes(self.entry.text, self.entry.at)):
            self._take()
        else:
            return False
        return True

    @on(Completions.OptionHighlighted)
    def _looked_at(self) -> None:
        if self.completions.narrow and (choice := self.completions.chosen) is not None:
            self.tell(one_line(choice.help))

    @on(Completions.OptionSelected)
    def _take(self) -> None:
        choice = self.completions.chosen
        if choice is None:
            return
        entry = self.entry
        entry.replace(choice.text, entry.location(choice.start), entry.cursor_location, maintain_selection_offset=False)
        self.completions.offer(())
        self._offer()

    def _say(self, where: str, words: str) -> None:
        line = self.query_one(where, Static)
        if line.content != words:
            line.set_class(bool(words), "-some")
            line.update(words)
