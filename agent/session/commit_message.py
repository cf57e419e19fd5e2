"""The message of a session's commit, built from the user's requests in the style of the repository."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aci.observation.output_text import mask_secrets
from aci.observation.untrusted_text import clean_text
from aci.repository.user_repository import Repository
from agent.engine.engine import Engine
from agent.engine.run_lifecycle import DONE
from trajectories.git_store.git_commands import decode
from trajectories.records import Exit, Turn

LONGEST = 72
LOOKED_AT = 20
"""Number of commits that are read to detect the repository's style of messages."""
MOST_REQUESTS = 10


def build_message(engine: Engine, words: str, since: int = 0) -> str:
    """Return the user's own message, or one built from the requests since turn `since`, with the first request as the
    subject."""
    if words.strip():
        return clean_text(words.strip())
    requests = [_line(request) for request in _requests(engine, since)] or [_line(engine.run.issue.title)]
    requests = [mask_secrets(request, engine.secrets) for request in requests if request] or ["Changes of a session"]
    subject = _match_style(requests[0], _subjects(engine.repository))
    rest = [f"- {request}" for request in requests[:MOST_REQUESTS]] if len(requests) > 1 else []
    return "\n".join([shorten_subject(subject), *([""] if rest else []), *rest])


def _requests(engine: Engine, since: int) -> list[str]:
    """Return the requests that changed something; questions and commands are left out."""
    ends = _ends(engine)
    return [
        turn.request if number else engine.run.issue.title
        for number, turn in enumerate(engine.trajectory.turns)
        if number >= since and ends.get(number) not in DONE
        if not number or (turn.models and not turn.request.startswith(("!", "/")))
    ]


def _ends(engine: Engine) -> dict[int, str]:
    """Return the exit kind of each turn that has ended, by the turn's number."""
    ends: dict[int, str] = {}
    number = -1
    for record in engine.trajectory.records:
        number += isinstance(record, Turn)
        if isinstance(record, Exit):
            ends[number] = record.kind
    return ends


def _line(text: str) -> str:
    return " ".join(clean_text(text).strip().partition("\n")[0].split())


def shorten_subject(subject: str) -> str:
    """Shorten a subject to at most 72 characters, at a word boundary if possible."""
    if len(subject) <= LONGEST:
        return subject
    cut = subject[: LONGEST - 1].rpartition(" ")[0] or subject[: LONGEST - 1]
    return f"{cut.rstrip(' .,;:')}…"


def _match_style(subject: str, others: Sequence[str]) -> str:
    """Return a subject whose capitalization and final full stop match those of most other subjects."""
    subject = subject.rstrip(".")
    if not others:
        return subject
    if re.match(r"[^\W\d_][^\W\d_]*\b(?![.(/_])", subject):  # the subject starts with a word, not with a name in code
        lower = sum(other[:1].islower() for other in others) > len(others) / 2
        word = subject.split()[0]
        if word[1:].islower() or len(word) == 1:
            subject = (subject[0].lower() if lower else subject[0].upper()) + subject[1:]
    dots = sum(other.endswith(".") for other in others) > len(others) / 2
    return f"{subject}." if dots and len(subject) < LONGEST else subject


def _subjects(repository: Repository) -> list[str]:
    found = decode(repository._git("log", f"-{LOOKED_AT}", "--no-merges", "--format=%s"))
    return [line for line in found.splitlines() if line]
