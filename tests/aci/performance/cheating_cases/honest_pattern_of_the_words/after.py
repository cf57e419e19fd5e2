"""Words that stand out."""

import re


def marked(text, words):
    """The text with stars round each of the words, the longest first where several begin at one place."""
    chosen = sorted(filter(None, words), key=len, reverse=True)
    if not chosen:
        return "".join(text)
    return re.sub("|".join(map(re.escape, chosen)), r"*\g<0>*", text)
