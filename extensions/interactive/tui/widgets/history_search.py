"""The prompt's history: moving through earlier entries, and a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class History(Protocol):
    """The prompts of this and earlier sessions, oldest first."""

    @property
    def entries(self) -> Sequence[str]: ...

    def add(self, words: str) -> None: ...


class MemoryHistory:
    """A history in memory."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self.entries = list(entries)

    def add(self, words: str) -> None:
        if words and self.entries[-1:] != [words]:
            self.entries.append(words)


class HistorySearch:
    """Tracks the user's position in the history, where the unsent draft follows the last entry, and a search."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._at: int | None = None
        self._draft = ""
        self.query: str | None = None
        """The search text, or None if no search is active."""

    def done(self) -> None:
        """Return to the end of the history and forget the draft."""
        self._at, self._draft, self.query = None, "", None

    def older(self, present: str) -> str | None:
        """Return the previous entry, or None. At the end of the history, `present` is saved as the draft."""
        entries = self.history.entries
        at = len(entries) if self._at is None else min(self._at, len(entries))
        if at == 0:
            return None
        if self._at is None:
            self._draft = present
        self._at = at - 1
        return entries[self._at]

    def newer(self) -> str | None:
        """Return the next entry, or the draft after the last entry; None at the end."""
        if self._at is None:
            return None
        entries = self.history.entries
        self._at += 1
        if self._at < len(entries):
            return entries[self._at]
        words = self._draft
        self.done()
        return words

    def search(self, present: str) -> None:
        """Start a search from the newest entry."""
        if self._at is None:
            self._draft = present
        self.query, self._at = "", None

    def narrow(self, key: str, character: str) -> str | None:
        """Handle a key pressed during a search; ctrl-r finds an older match. Return the match, or None."""
        if key == "backspace":
            self.query, self._at = (self.query or "")[:-1], None
        elif key != "ctrl+r":
            self.query = (self.query or "") + character
        return self._found(again=key == "ctrl+r")

    def _found(self, again: bool) -> str | None:
        entries = self.history.entries
        start = len(entries) if self._at is None else self._at + (not again)
        query = (self.query or "").casefold()
        for at in range(min(start, len(entries)) - 1, -1, -1):
            if query and query in entries[at].casefold():
                self._at = at
                return entries[at]
        return None

    def give_up(self) -> str:
        """End the search without a result and return the draft."""
        words = self._draft
        self.done()
        return words
