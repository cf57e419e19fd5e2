"""A model's summary of its patch, split into title, cause and change."""

from __future__ import annotations

import re

LONGEST_TITLE = 72
_SENTENCE = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<! vs\.)\s+(?=[A-Z`\"'(])")
_LABEL = re.compile(
    r"^(?:what was wrong|(?:root )?cause|problem|bug|(?:the )?change|(?:the )?fix)(?::| -) *", re.IGNORECASE
)
_CODE = re.compile(r"`[^`]*`")
_CLAUSE = re.compile(r";|, |: | \u2014 | - ")
_ASKING = re.compile(r"^(?:(?:please|also|and|then|now|(?:could|can|would|will) you)\b[\s,]*)+(?=\S)", re.IGNORECASE)


def split_summary(summary: str, title: str = "") -> tuple[str, str, str]:
    """Return (title, cause, change) of a summary that first says what was wrong, then what the change does.

    A summary of one sentence describes the change. Without a title, the first words of the change are used.
    """
    sentences = [_LABEL.sub("", each, count=1) for each in _SENTENCE.split(" ".join(summary.split())) if each]
    cause, change = (sentences[0], " ".join(sentences[1:])) if len(sentences) > 1 else ("", " ".join(sentences))
    return make_title(title or change), cause, change


def request_title(words: str) -> str:
    """Return a request without polite openings such as "please" or "could you"."""
    return _ASKING.sub("", words.strip(), count=1)


def make_title(text: str) -> str:
    """Return a title derived from text: its first clause without a full stop, cut between words and not within code."""
    line = " ".join(text.strip().partition("\n")[0].split())
    line = _SENTENCE.split(line)[0].rstrip(". ")
    if len(line) <= LONGEST_TITLE:
        return line
    prose = _CODE.sub(lambda code: "_" * len(code[0]), line)
    end = next((match.start() for match in _CLAUSE.finditer(prose) if 15 <= match.start() <= LONGEST_TITLE), 0)
    return line[:end] if end else shorten(line, LONGEST_TITLE)


def shorten(text: str, most: int) -> str:
    """Return the text shortened to at most `most` characters, cut between words."""
    if len(text) <= most:
        return text
    cut = text[: most - 1].rpartition(" ")[0] or text[: most - 1]
    if cut.count("`") % 2 and len(whole := cut.rpartition("`")[0]) > most // 3:
        cut = whole
    return f"{cut.rstrip(' .,;:')}…"
