"""What a commit of a session is called: by what was asked for, in the repository's manner."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aci.repository import Repository
from aci.view import clean, mask
from agent.engine import Engine
from agent.solve import DONE
from trajectories.plumbing import decode
from trajectories.records import Exit, Turn

LONGEST = 72
LOOKED_AT = 20
"""Commits that show the repository's manner."""
MOST_REQUESTS = 10


def message(engine: Engine, words: str, since: int = 0) -> str:
    """The user's words, else the requests of the turns after the first `since`, the first as the subject."""
    if words.strip():
        return clean(words.strip())
    requests = [_line(request) for request in _requests(engine, since)] or [_line(engine.run.issue.title)]
    requests = [mask(request, engine.secrets) for request in requests if request] or ["Changes of a session"]
    subject = _in_manner(requests[0], _subjects(engine.repository))
    rest = [f"- {request}" for request in requests[:MOST_REQUESTS]] if len(requests) > 1 else []
    return "\n".join([shortened(subject), *([""] if rest else []), *rest])


def _requests(engine: Engine, since: int) -> list[str]:
    """What was asked for in words and changed something: no questions, and nothing that was done by hand."""
    ends = _ends(engine)
    return [
        turn.request if number else engine.run.issue.title
        for number, turn in enumerate(engine.trajectory.turns)
        if number >= since and ends.get(number) not in DONE
        if not number or (turn.models and not turn.request.startswith(("!", "/")))
    ]


def _ends(engine: Engine) -> dict[int, str]:
    """How each turn ended, by its number."""
    ends: dict[int, str] = {}
    number = -1
    for record in engine.trajectory.records:
        number += isinstance(record, Turn)
        if isinstance(record, Exit):
            ends[number] = record.kind
    return ends


def _line(text: str) -> str:
    return " ".join(clean(text).strip().partition("\n")[0].split())


def shortened(subject: str) -> str:
    """At most 72 characters, cut between words."""
    if len(subject) <= LONGEST:
        return subject
    cut = subject[: LONGEST - 1].rpartition(" ")[0] or subject[: LONGEST - 1]
    return f"{cut.rstrip(' .,;:')}…"


def _in_manner(subject: str, others: Sequence[str]) -> str:
    """With or without a capital and a full stop, as most of the others."""
    subject = subject.rstrip(".")
    if not others:
        return subject
    if re.match(r"[^\W\d_][^\W\d_]*\b(?![.(/_])", subject):  # a word, no name in code
        lower = sum(other[:1].islower() for other in others) > len(others) / 2
        word = subject.split()[0]
        if word[1:].islower() or len(word) == 1:
            subject = (subject[0].lower() if lower else subject[0].upper()) + subject[1:]
    dots = sum(other.endswith(".") for other in others) > len(others) / 2
    return f"{subject}." if dots and len(subject) < LONGEST else subject


def _subjects(repository: Repository) -> list[str]:
    found = decode(repository._git("log", f"-{LOOKED_AT}", "--no-merges", "--format=%s"))
    return [line for line in found.splitlines() if line]
