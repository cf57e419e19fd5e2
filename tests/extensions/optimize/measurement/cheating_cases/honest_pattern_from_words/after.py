"""Marked words."""

import re


def marked(text, words):
    """The text with stars around each of the words; of several at the same position, the longest is marked."""
    chosen = sorted(filter(None, words), key=len, reverse=True)
    if not chosen:
        return "".join(text)
    return re.sub("|".join(map(re.escape, chosen)), r"*\g<0>*", text)
