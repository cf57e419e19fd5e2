"""What was said and done, in the order it happened."""

from __future__ import annotations

from textual.widgets import RichLog

from aci.view import clean


class Conversation(RichLog):
    def add(self, text: str) -> None:
        self.write(clean(text))
