"""The prompt: multi-line input, history, completion and the queue. It only posts messages to the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static, TextArea

from aci.observation.untrusted_text import one_line
from extensions.interactive.session.session_status import Status
from extensions.interactive.tui.widgets.completion_list import Complete, Completions
from extensions.interactive.tui.widgets.history_search import History, HistorySearch, MemoryHistory
from extensions.interactive.tui.widgets.prompt_hints import LEAVE, more_below_text, placeholder, queue_text
from extensions.interactive.tui.widgets.text_input import Entry

MARGIN = 5
"""Number of columns of the prompt that its text cannot use."""
SEARCH = "History: {query}▏ ctrl-r older, enter accepts, esc back"
NO_MORE = "History: {query}▏ no older match; enter, esc"


class Prompt(Vertical):
    """The prompt. `show` updates it with the session's status, `put` sets its text."""

    DEFAULT_CSS = """
    Prompt {
        height: auto;
        #queued, #hint { display: none; height: auto; padding: 0 1; color: $text-muted; }
        #queued.-some, #hint.-some { display: block; }
        #line { height: auto; padding: 0 1; border-top: solid $primary; border-bottom: solid $primary; }
        #line { border-title-align: right; border-title-color: $text-warning; border-title-background: $background; }
        #mark { width: 2; height: 1; color: $primary; text-style: bold; }
        &.-plan #line { border-top: solid $warning; border-bottom: solid $warning; }
        &.-plan #mark { color: $warning; }
        &.-shell #line { border-top: solid $success; border-bottom: solid $success; }
        &.-shell #mark, &.-shell Entry { color: $success; }
    }
    """

    @dataclass
    class Submitted(Message):
        """Posted to send text to the session."""

        words: str

    @dataclass
    class Steered(Message):
        """Posted to send text to the model at its next step."""

        words: str

    class Interrupted(Message):
        """Posted to stop the current turn."""

    class Resumed(Message):
        """Posted to resume the stopped turn, by Enter on an empty prompt."""

    class Unqueued(Message):
        """Posted to take the last message from the queue, for editing (see `put`)."""

    class ModeSwitched(Message):
        """Posted to switch between build and plan."""

    class EditorRequested(Message):
        """Posted to edit the text in the user's editor."""

    class Quit(Message):
        """Posted to end the session."""

    def __init__(self, history: History | None = None, complete: Complete | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entry = Entry(self._key)
        self.completions = Completions()
        self._history_search = HistorySearch(history or MemoryHistory())
        self._complete = complete
        self._status: Status | None = None
        self._leaving = self._is_more_below = False
        self._offered = ("", 0)
        """The text and cursor position to which the shown completions belong."""
        self._settled = ""
        """Text set by a completion, esc or the history; no completions are shown until it changes."""
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
            "ctrl+g": lambda: self._post(self.EditorRequested()),
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

    # Methods for the app

    def show(self, status: Status) -> None:
        """Show the status: the hint for an empty prompt, and the queue."""
        self._status = status
        self.on_resize()
        self.set_class(status.mode == "plan", "-plan")
        self._set_line("#queued", queue_text(status.queued))

    def on_resize(self) -> None:
        """Choose the placeholder that fits the width."""
        self.entry.placeholder = placeholder(self._status, self.app.size.width - MARGIN)

    def put(self, words: str) -> None:
        """Replace the text."""
        self._settled = self.entry.put(words)
        self.completions.offer(())

    def show_hint(self, words: str) -> None:
        """Show a hint until the next key."""
        self._set_line("#hint", words)

    def show_more_below(self, is_more: bool) -> None:
        """Show, on the border above the text, whether the end of the conversation is below the screen."""
        self._is_more_below = is_more
        text = more_below_text(bool(self.entry.text)) if is_more else ""
        if (line := self.query_one("#line")).border_title != text:
            line.border_title = text

    def take(self, history: History, complete: Complete) -> None:
        """Use the history and completions of an opened session."""
        self._history_search, self._complete = HistorySearch(history), complete

    def focus(self, scroll_visible: bool = True) -> Prompt:
        self.entry.focus(scroll_visible)
        return self

    # Keys: each method returns whether it handled the key; if not, the text input handles it

    def _key(self, event: events.Key) -> bool:
        if self._history_search.query is None and not (self._leaving and event.key == "ctrl+c"):
            self._leaving = False
            self.show_hint("")
        if self._history_search.query is not None and self._search_key(event):
            return True
        if self.completions.is_open:
            self._update_completions()
            if self.completions.is_open and self._completion_key(event.key):
                return True
        action = self._actions.get(event.key)
        return action is not None and action()

    def _post(self, message: Message) -> bool:
        self.post_message(message)
        return True

    def _send(self) -> bool:
        words = self.entry.words.strip()
        if words:
            self._send_message(self.Submitted(words))
        elif self._status is not None and self._status.state == "paused":
            self.post_message(self.Resumed())
        return True

    def _steer(self) -> bool:
        if words := self.entry.words.strip():
            self._send_message(self.Steered(words))
        return True

    def _send_message(self, message: Submitted | Steered) -> None:
        self._history_search.history.add(message.words)
        self._history_search.done()
        self.put("")
        self.post_message(message)

    def _new_line(self) -> bool:
        self.entry.insert("\n", maintain_selection_offset=False)
        return True

    def _clear(self) -> bool:
        """Handle ctrl-c: copy the selection, else clear the prompt, else end the session if pressed twice."""
        if selected := self.entry.selected_text or self.screen.get_selected_text():
            self.app.copy_to_clipboard(selected)
        elif self.entry.text:
            self._history_search.done()
            self.put("")
        elif self._leaving:
            self.post_message(self.Quit())
        else:
            self._leaving = True
            self.show_hint(LEAVE)
        return True

    def _leave(self) -> bool:
        return not self.entry.text and self._post(self.Quit())

    # History

    def _up(self) -> bool:
        if not self.entry.cursor_at_first_line:
            return False
        if not self.entry.text and self._status is not None and self._status.queued:
            self.post_message(self.Unqueued())
        elif (words := self._history_search.older(self.entry.words)) is not None:
            self.put(words)
        return True

    def _down(self) -> bool:
        if not self.entry.cursor_at_last_line:
            return False
        if (words := self._history_search.newer()) is not None:
            self.put(words)
        return True

    def _search(self) -> bool:
        self._history_search.search(self.entry.words)
        self.show_hint(SEARCH.format(query=""))
        return True

    def _search_key(self, event: events.Key) -> bool:
        """Handle a key during a history search; other keys end the search and have their usual effect."""
        search = self._history_search
        hint = SEARCH
        if event.key in ("escape", "ctrl+c", "ctrl+g"):
            self.put(search.give_up())
        elif event.key == "ctrl+r" or event.key == "backspace" or event.is_printable:
            if (found := search.narrow(event.key, event.character or "")) is not None:
                self.put(found)
            elif search.query:
                hint = NO_MORE
        else:
            search.query = None
        self.show_hint("" if search.query is None else hint.format(query=search.query))
        return search.query is not None or event.key in ("escape", "ctrl+c", "ctrl+g", "enter")

    # Completion

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        text = self.entry.text
        self.set_class(text.startswith("!"), "-shell")
        self.show_more_below(self._is_more_below)
        if text != self._settled:
            self._settled = ""
            self._offer()

    @on(TextArea.SelectionChanged)
    def _moved(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        if self.completions.is_open:
            self._update_completions()

    def _update_completions(self) -> None:
        """Update the completions if they are out of date, because a key may arrive before the event for the previous
        change."""
        if self._offered != (self.entry.text, self.entry.at):
            self._offer()

    def _offer(self) -> None:
        """Show the completions at the cursor."""
        self._offered = (self.entry.text, self.entry.at)
        self.completions.offer(self._complete(self.entry.text, self.entry.at) if self._complete else ())

    def _tab(self) -> bool:
        if self.entry.text:
            self._offer()
        return True

    def _completion_key(self, key: str) -> bool:
        """Handle a key while completions are shown."""
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
            self.show_hint(one_line(choice.help))

    @on(Completions.OptionSelected)
    def _take(self) -> None:
        choice = self.completions.chosen
        if choice is None:
            return
        entry = self.entry
        entry.replace(choice.text, entry.location(choice.start), entry.cursor_location, maintain_selection_offset=False)
        self.completions.offer(())
        self._offer()

    def _set_line(self, where: str, words: str) -> None:
        line = self.query_one(where, Static)
        if line.content != words:
            line.set_class(bool(words), "-some")
            line.update(words)
