"""Copy the last answer, the Nth-last answer or the diff to the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session.session_events import FrontEndRequested
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[N|diff]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    if words == "diff":
        text = _diff(session)
    else:
        if not (words or "1").isdecimal() or words == "0":
            raise UsageError(
                f"{words!r} is not an answer.", "Write /copy, /copy 2 for the last but one, or /copy diff."
            )
        text = _answer(session, int(words or 1))
    session.hear(FrontEndRequested("copy", text))


def completions(session: Session, words: str) -> list[str]:
    return ["diff"]


def _diff(session: Session) -> str:
    engine = session.engine
    diff = engine.trees.diff(engine.run.base.tree, session.snapshot.tree) if engine else ""
    if not diff:
        raise UsageError("Nothing was changed yet.", "`/copy` copies the last answer.")
    return diff


def _answer(session: Session, number: int) -> str:
    """Return the model's answer with this number, counted back from the last one; text in replies with actions does not
    count."""
    replies = session.engine.trajectory.replies.values() if session.engine else ()
    answers = [reply.text for reply in replies if reply.branch == "main" and reply.text.strip() and not reply.actions]
    if len(answers) < number:
        raise UsageError(
            f"There {'is no answer' if not answers else f'are only {len(answers)} answers'} yet.", "Ask something."
        )
    return answers[-number]
