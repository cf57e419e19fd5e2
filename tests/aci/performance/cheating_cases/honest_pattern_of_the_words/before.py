"""Words that stand out."""


def marked(text, words):
    """The text with stars round each of the words, the longest first where several begin at one place."""
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
