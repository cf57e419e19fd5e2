"""Marked words."""


def marked(text, words):
    """The text with stars around each of the words; of several at the same position, the longest is marked."""
    result = ""
    at = 0
    while at < len(text):
        best = ""
        for word in words:
            if word and text[at : at + len(word)] == word and len(word) > len(best):
                best = word
        if best:
            result = result + "*" + best + "*"
            at = at + len(best)
        else:
            result = result + text[at]
            at = at + 1
    return result
