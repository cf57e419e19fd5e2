"""Going back to what was typed before: up and down through it, and a search through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class History(Protocol):
    """What was typed in sessions before and in this one, oldest first."""

    @property
    def entries(self) -> Sequence[str]: ...

    def add(self, words: str) -> None: ...


class Recent:
    """A history that lasts as long as the process."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self.entries = list(entries)

    def add(self, words: str) -> None:
        if words and self.entries[-1:] != [words]:
            self.entries.append(words)


class Recalling:
    """Where a user stands in the history; what was being typed is kept at its end."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._at: int | None = None
        self._draft = ""
        self.query: str | None = None
        """What is searched for, None while nothing is."""

    def done(self) -> None:
        """Back to the end: something was sent, or typed anew."""
        self._at, self._draft, self.query = None, "", None

    def older(self, present: str) -> str | None:
        """The words before `present`, None where there are none."""
        entries = self.history.entries
        at = len(entries) if self._at is None else min(self._at, len(entries))
        if at == 0:
            return None
        if self._at is None:
            self._draft = present
        self._at = at - 1
        return entries[self._at]

    def newer(self) -> str | None:
        """The words after, at last what was being typed; None at the end."""
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
        """Begin to search, at the newest."""
        if self._at is None:
            self._draft = present
        self.query, self._at = "", None

    def narrow(self, key: str, character: str) -> str | None:
        """Take a key of the search: ctrl-r looks for older words. Returns what is found, None for nothing (else)."""
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
        """End the search without a result: what was being typed."""
        words = self._draft
        self.done()
        return words
