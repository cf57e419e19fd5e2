"""Copy the last answer, or the one before it (2), or the diff, to the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.session.events import Wanted
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.session.session import Session

NOW = True
USAGE = "[N|diff]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    if words == "diff":
        text = _diff(session)
    else:
        if not (words or "1").isdecimal() or words == "0":
            raise UsageError(
                f"{words!r} is no answer.", "Write /copy, /copy 2 for the one before the last, /copy diff."
            )
        text = _answer(session, int(words or 1))
    session.hear(Wanted("copy", text))


def completions(session: Session, words: str) -> list[str]:
    return ["diff"]


def _diff(session: Session) -> str:
    engine = session.engine
    diff = engine.trees.diff(engine.run.base.tree, session.standing.tree) if engine else ""
    if not diff:
        raise UsageError("Nothing was changed yet.", "`/copy` copies the last answer.")
    return diff


def _answer(session: Session, number: int) -> str:
    """What the model said, counted from the last; words that only went with an action are not counted."""
    replies = session.engine.trajectory.replies.values() if session.engine else ()
    said = [reply.text for reply in replies if reply.branch == "main" and reply.text.strip() and not reply.actions]
    if len(said) < number:
        raise UsageError(f"There {'is no answer' if not said else f'are {len(said)} answers'} yet.", "Ask something.")
    return said[-number]
