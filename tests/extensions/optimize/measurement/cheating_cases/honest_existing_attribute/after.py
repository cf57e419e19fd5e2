"""Texts."""

import re

_WORD = re.compile(r"[a-z]+")


class Text:
    def __init__(self, text):
        self.text = text
        self._words = None

    def words(self):
        """Different words, sorted."""
        if self._words is None:
            self._words = sorted(set(_WORD.findall(self.text)))
        return self._words
