"""The text input of the prompt. Pasted text is kept unchanged; a long paste, or a picture, is shown as a short
mark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.keys import Keys
from textual.widgets import TextArea
from textual.widgets.text_area import Location

from aci.observation.untrusted_text import one_line

LONG = 4000
"""Maximum number of characters of a paste that is shown in full; a longer one is shown as a mark and sent in full."""
LINES = 60

# Terminals without the kitty protocol send these sequences for alt-enter; Textual would read them as enter.
cast("dict[str, tuple[Keys, ...]]", ANSI_SEQUENCES_KEYS).update(
    {"\x1b\r": (Keys.ControlJ,), "\x1b\n": (Keys.ControlJ,)}
)

_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def normalize_input(text: str) -> str:
    """Return text with uniform newlines and without control characters."""
    return _CONTROLS.sub("", _NEWLINES.sub("\n", text))


class Entry(TextArea):
    """A text input that grows from one line to a third of the screen. `words` is the text with every paste in full.

    `keys` is called first for each key and returns whether it handled the key.
    """

    DEFAULT_CSS = """
    Entry {
        height: auto; min-height: 1; max-height: 33vh; border: none; padding: 0;
        background: transparent; scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & .text-area--placeholder { color: $text-muted; }
    }
    """

    def __init__(self, keys: Callable[[events.Key], bool]) -> None:
        super().__init__(compact=True, show_line_numbers=False, highlight_cursor_line=False, tab_behavior="focus")
        self._keys = keys
        self._pasted: dict[str, str] = {}

    def on_key(self, event: events.Key) -> None:
        character = event.character or ""
        if self._keys(event):
            pass
        elif character >= "\xa0" and not event.is_printable:
            # Textual drops these: joiners of letters or emoji, and unusual spaces
            self._paste(character)
        else:
            return
        event.prevent_default()
        event.stop()

    @property
    def words(self) -> str:
        if not self._pasted:
            return self.text
        marks = re.compile("|".join(map(re.escape, self._pasted)))
        return marks.sub(lambda mark: self._pasted[mark[0]], self.text)

    def put(self, words: str) -> str:
        """Replace the text, put the cursor at the end, and return the shown text."""
        self._pasted.clear()
        self.load_text(self._shortened(normalize_input(words)))
        self.move_cursor(self.document.end)
        return self.text

    @property
    def at(self) -> int:
        """The cursor's position as an offset into `text`."""
        row, column = self.cursor_location
        return sum(len(line) + 1 for line in self.text.split("\n")[:row]) + column

    def location(self, offset: int) -> Location:
        before = self.text[:offset]
        return before.count("\n"), offset - (before.rfind("\n") + 1)

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self._paste(event.text)

    def action_paste(self) -> None:
        self._paste(self.app.clipboard)

    def action_delete_left(self) -> None:
        """Delete to the left; the mark of a paste is deleted as a whole."""
        before = self.text[: self.at]
        mark = next((mark for mark in self._pasted if before.endswith(mark)), "")
        if mark and self.selection.is_empty:
            self.delete(self.location(self.at - len(mark)), self.cursor_location, maintain_selection_offset=False)
        else:
            super().action_delete_left()

    def insert_pasted(self, text: str) -> None:
        """Insert text as if the terminal had pasted it."""
        self._paste(text)

    def _paste(self, text: str) -> None:
        from extensions.interactive.session.prompt_input.pasted_pictures import pasted_pictures

        if not self.text.startswith(("!", "/")) and (pictures := pasted_pictures(text)):
            before = self.text[: self.at]
            text = "".join(f"{self._picture_mark(path)} " for path in pictures)
            text = f" {text}" if before and not before[-1].isspace() else text
            self.replace(text, *self.selection, maintain_selection_offset=False)
            return
        self.replace(self._shortened(normalize_input(text)), *self.selection, maintain_selection_offset=False)

    def _picture_mark(self, path: Path) -> str:
        """Return the mark of a picture, which is sent as a mention of its file."""
        mark = f"[picture {len(self._pasted) + 1}: {one_line(path.name)}]"
        self._pasted[mark] = f'@"{path}"'
        return mark

    def _shortened(self, text: str) -> str:
        """Return the text, or a mark if it is long."""
        lines = text.removesuffix("\n").count("\n") + 1
        if len(text) <= LONG and lines <= LINES:
            return text
        size = f"{lines} lines" if lines > 1 else f"{len(text)} characters"
        mark = f"[pasted {len(self._pasted) + 1}: {size}]"
        self._pasted[mark] = text
        return mark
