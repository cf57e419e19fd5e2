"""The message of a session's commit: the user's, the model's, or one built from the user's requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aci.observation.output_text import shorten
from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text
from aci.repository.user_repository import Repository
from agent.engine.engine import Engine
from agent.lifecycle.exploit_withholding import neutral_title, withholds
from agent.lifecycle.run_lifecycle import DONE
from trajectories.errors import ConfigError
from trajectories.git_store.git_commands import decode
from trajectories.records import Exit, Turn

if TYPE_CHECKING:
    from extensions.interactive.session.session_protocols import CommitSession

LONGEST = 72
LOOKED_AT = 20
"""Number of commits whose messages show the repository's style."""
MOST_REQUESTS = 10
MOST_MESSAGE, MOST_MESSAGES, MOST_DIFF = 1_000, 6_000, 40_000
"""Maximum numbers of characters for the model: of each recent message, of all of them, and of the diff."""
MOST_WRITTEN = 10_000
"""Maximum number of characters of the model's message."""
TRAILERS = re.compile(r"^(?:signed-off-by|co-authored-by|reviewed-by|acked-by):.*\n?", re.IGNORECASE | re.MULTILINE)
"""Lines in which other people are named; a diff could ask the model for them."""
CODE_BLOCK = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)


def build_message(
    session: CommitSession, engine: Engine, words: str, diff: str, paths: Sequence[str], since: int = 0
) -> str:
    """Return the user's own message if there is one, or one by the model, or without a model one built from requests.

    `diff` is the change of the files `paths`, and the requests are those since turn `since`. If the run's exploit is
    withheld, the message names only the files.
    """
    if words.strip():
        return clean_text(words.strip())
    if withholds(engine):
        return neutral_title(paths)
    requests = [mask_secrets(_line(request), engine.secrets) for request in _requests(engine, since)]
    requests = list(filter(None, requests)) or ["Changes of a session"]
    recent = _recent_messages(engine.repository)
    return _message_by_model(session, engine, requests, recent, diff) or _message_from_requests(requests, recent)


def _message_by_model(
    session: CommitSession, engine: Engine, requests: Sequence[str], recent: Sequence[str], diff: str
) -> str:
    """Return the model's message; "" if there is no usable model, or if it gave no message."""
    if not session.settings.model:
        return ""
    shown = "\n\n---\n\n".join(shorten(message, MOST_MESSAGE) for message in recent)
    material = "\n\n".join(
        [
            "Requests:\n" + "\n".join(f"- {request}" for request in requests),
            f"Recent commit messages, newest first:\n\n{shorten(shown, MOST_MESSAGES)}",
            f"The diff:\n\n{shorten(mask_secrets(diff, engine.secrets), MOST_DIFF)}",
        ]
    )
    try:
        text = session.write_commit_message(material)
    except ConfigError as error:
        session.show(f"{error.message} {error.fix}", "notice")
        return ""
    if block := CODE_BLOCK.fullmatch(text.strip()):
        text = block[1]
    return mask_secrets(TRAILERS.sub("", clean_text(text)).strip(), engine.secrets)[:MOST_WRITTEN]


def _message_from_requests(requests: Sequence[str], recent: Sequence[str]) -> str:
    """Return a message with the first request as the subject, in the style of recent subjects, and a list of all."""
    subject = _match_style(requests[0], [message.partition("\n")[0] for message in recent])
    rest = [f"- {request}" for request in requests[:MOST_REQUESTS]] if len(requests) > 1 else []
    return "\n".join([shorten_subject(subject), *([""] if rest else []), *rest])


def _requests(engine: Engine, since: int) -> list[str]:
    """Return the requests that changed something; questions and commands are left out."""
    ends = _ends(engine)
    turns = engine.trajectory.turns
    requests = [engine.run.issue.title, *(turn.request for turn in turns[1:])]
    return [
        request
        for number, (turn, request) in enumerate(zip(turns, requests, strict=True))
        if number >= since and ends.get(number) not in DONE
        if (turn.models or not number) and not request.startswith(("!", "/"))
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


def _recent_messages(repository: Repository) -> list[str]:
    found = decode(repository._git("log", f"-{LOOKED_AT}", "--no-merges", "--format=%B%x00"))
    return [message.strip() for message in found.split("\0") if message.strip()]
