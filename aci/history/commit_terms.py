"""Parsing of a commit's message: its subject, its words, and the issues and pull requests that it names."""

from __future__ import annotations

import re
from typing import NamedTuple

from aci.issue_text.issue_mentions import WORD

LONGEST = 4_000
LONGEST_SUBJECT = 200
SUBJECT_WEIGHT = 2
"""Weight of a word in the subject; a word in the body counts once."""
CLOSING, MENTIONING = 2, 1

_MERGE = re.compile(
    r"Merge (?:pull request|PR) #?(?P<number>\d+)(?: from [^\s/]+/(?P<branch>\S+))?.*|Merge [\w-]+ .*", re.IGNORECASE
)
_TRAILER = re.compile(r"(?im)^[ \t]*(?:[a-z]+(?:-[a-z]+)*-by|git-svn-id|change-id|cc|cherry-picked-from):.*$")
_URL = re.compile(r"https?://\S+")
_CLOSING = r"(?P<closing>\b(?:fix|clos|resolv)(?:e|es|ed|ing)?:?[ \t]+(?:[\w-]{1,20}[ \t]+)?)?"
_SHORT = r"(?<![\w&])(?:#|gh-)"
_LONG = r"[\w.-]{1,50}/[\w.-]{1,50}#|/(?:issues|pull|ticket)/"
_DIGITS = r"(?P<number>\d{1,9})\b"
_NUMBER = re.compile(f"{_CLOSING}(?:{_LONG}|{_SHORT}){_DIGITS}", re.IGNORECASE)
_NUMBER_WITHOUT_SLASH = re.compile(f"{_CLOSING}{_SHORT}{_DIGITS}", re.IGNORECASE)
"""Matches what _NUMBER matches in a line without slash, several times as fast."""
_MARK = re.compile(r"[#/-]\d")
_NUMBERED = re.compile(r"(?:#|gh-|/(?:issues|pull|ticket)/)\d", re.IGNORECASE)
"""Both occur in each line that _NUMBER matches; most lines have neither."""


class Message(NamedTuple):
    """A parsed message.

    `words` holds its words in any order, those of the subject SUBJECT_WEIGHT times; `numbers` maps each issue that the
    message mentions to CLOSING if the commit is about it, else to MENTIONING.
    """

    subject: str
    words: list[str]
    numbers: dict[int, int]


def parse_message(raw: bytes) -> Message:
    """Parse a commit message of any length and in any encoding."""
    text = raw[:LONGEST].decode("utf-8", "replace")
    numbers = _numbers(text)
    text = _URL.sub(" ", _TRAILER.sub("", text)).strip()
    subject, _, body = text.partition("\n")
    if merge := _MERGE.fullmatch(subject.strip()):
        title, _, body = body.strip().partition("\n")
        if merge["number"]:
            numbers[int(merge["number"])] = CLOSING
        body = f"{_branch_words(merge['branch'] or '')}\n{body}"
        subject = title or subject
    words = WORD.findall(subject) * SUBJECT_WEIGHT + WORD.findall(body)
    return Message(subject[:LONGEST_SUBJECT].strip(), words, numbers)


def _numbers(text: str) -> dict[int, int]:
    """Return the issue numbers that a message mentions: as CLOSING in the subject or after words such as Fixes or
    Closes, else as MENTIONING."""
    found: dict[int, int] = {}
    for place, line in enumerate(text.split("\n")):
        if not _MARK.search(line) or not _NUMBERED.search(line):
            continue
        for match in (_NUMBER if "/" in line else _NUMBER_WITHOUT_SLASH).finditer(line):
            number = int(match["number"])
            about = match["closing"] or place == 0
            found[number] = max(found.get(number, 0), CLOSING if about else MENTIONING)
    return found


def _branch_words(branch: str) -> str:
    return branch.replace("-", " ").replace("/", " ")
