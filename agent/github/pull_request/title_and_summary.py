"""What a model says of its patch, in the parts that a pull request is made of."""

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


def parts(summary: str, title: str = "") -> tuple[str, str, str]:
    """(title, cause, change) of a summary that says first what was wrong, then what the change does.

    A summary of one sentence tells the change. Where no title is given it is the change's first words.
    """
    sentences = [_LABEL.sub("", each, count=1) for each in _SENTENCE.split(" ".join(summary.split())) if each]
    cause, change = (sentences[0], " ".join(sentences[1:])) if len(sentences) > 1 else ("", " ".join(sentences))
    return titled(title or change), cause, change


def wish(words: str) -> str:
    """What somebody asks for, without how it is asked."""
    return _ASKING.sub("", words.strip(), count=1)


def titled(text: str) -> str:
    """A few words from a text: its first clause, without a full stop, cut between words and not within code."""
    line = " ".join(text.strip().partition("\n")[0].split())
    line = _SENTENCE.split(line)[0].rstrip(". ")
    if len(line) <= LONGEST_TITLE:
        return line
    prose = _CODE.sub(lambda code: "_" * len(code[0]), line)
    end = next((match.start() for match in _CLAUSE.finditer(prose) if 15 <= match.start() <= LONGEST_TITLE), 0)
    return line[:end] if end else shortened(line, LONGEST_TITLE)


def shortened(text: str, most: int) -> str:
    """At most so many characters, cut between words."""
    if len(text) <= most:
        return text
    cut = text[: most - 1].rpartition(" ")[0] or text[: most - 1]
    if cut.count("`") % 2 and len(whole := cut.rpartition("`")[0]) > most // 3:
        cut = whole
    return f"{cut.rstrip(' .,;:')}…"
