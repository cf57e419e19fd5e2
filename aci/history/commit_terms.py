"""Parsing of a commit's message: its subject, its terms, and the issues and pull requests that it names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from aci.issue_text.issue_mentions import count_terms

LONGEST = 4_000
LONGEST_SUBJECT = 200
SUBJECT_WEIGHT = 2
"""Weight of a term in the subject; a term in the body counts once."""
CLOSING, MENTIONING = 2, 1

_MERGE = re.compile(
    r"Merge (?:pull request|PR) #?(?P<number>\d+)(?: from [^\s/]+/(?P<branch>\S+))?.*|Merge [\w-]+ .*", re.IGNORECASE
)
_TRAILER = re.compile(r"(?im)^[ \t]*(?:[a-z]+(?:-[a-z]+)*-by|git-svn-id|change-id|cc|cherry-picked-from):.*$")
_URL = re.compile(r"https?://\S+")
_NUMBER = re.compile(
    r"(?P<closing>\b(?:fix|clos|resolv)(?:e|es|ed|ing)?:?[ \t]+(?:[\w-]{1,20}[ \t]+)?)?"
    r"(?:[\w.-]{1,50}/[\w.-]{1,50}#|(?<![\w&])(?:#|gh-)|/(?:issues|pull|ticket)/)(?P<number>\d{1,9})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed message.

    `counts` holds the counts of its terms, with a higher weight for the subject; `numbers` maps each issue that the
    message mentions to CLOSING if the commit is about it, else to MENTIONING.
    """

    subject: str
    counts: Counter[str] = field(default_factory=Counter)
    numbers: dict[int, int] = field(default_factory=dict)


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
    counts = count_terms(body)
    for term, count in count_terms(subject).items():
        counts[term] += count * SUBJECT_WEIGHT
    return Message(subject[:LONGEST_SUBJECT].strip(), counts, numbers)


def _numbers(text: str) -> dict[int, int]:
    """Return the issue numbers that a message mentions: as CLOSING in the subject or after words such as Fixes or
    Closes, else as MENTIONING."""
    found: dict[int, int] = {}
    end = text.find("\n")
    for match in _NUMBER.finditer(text):
        about = match["closing"] or (end < 0 or match.start() < end)
        number = int(match["number"])
        found[number] = max(found.get(number, 0), CLOSING if about else MENTIONING)
    return found


def _branch_words(branch: str) -> str:
    return branch.replace("-", " ").replace("/", " ")
