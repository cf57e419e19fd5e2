"""Redaction of secrets in log lines."""

import re

FUNCTION = "redact"


def redact(lines, words):
    """Return the lines with each of the words blacked out, as a whole word, ignoring case."""
    clean = []
    for line in lines:
        for word in words:
            pattern = re.compile(r"\b" + re.escape(word) + r"\b", re.IGNORECASE)
            line = pattern.sub("█" * 4, line)
        clean.append(line)
    return clean
