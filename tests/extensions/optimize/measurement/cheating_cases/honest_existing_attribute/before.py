"""Texts."""

import re


class Text:
    def __init__(self, text):
        self.text = text
        self._words = None

    def words(self):
        """Different words, sorted."""
        if self._words is None:
            found = []
            for word in re.findall(r"[a-z]+", self.text):
                if word not in found:
                    found.append(word)
            for i in range(len(found)):
                for j in range(len(found) - 1):
                    if found[j] > found[j + 1]:
                        found[j], found[j + 1] = found[j + 1], found[j]
            self._words = found
        return self._words
