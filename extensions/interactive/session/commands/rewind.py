"""Return to the state before prompt N: files and conversation, or one of them; alone, list the prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session import applied_changes
from extensions.interactive.strategies.rewind import parse_rewind, prompts
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[N [files|conversation]]"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    if session.engine is None:
        raise UsageError("There is no prompt to return to.", "Say what to do first.")
    if not words:
        listed = [f"{number}. {prompt.words}" for number, prompt in enumerate(prompts(session.engine.trajectory), 1)]
        session.show("\n".join([*listed, "`/rewind N` returns to the state before prompt N."]), title="Prompts")
        return
    request = f"/rewind {words}"
    parse_rewind(session.engine.trajectory, request)
    session.turns.act(request, "rewind")
    applied_changes.report_applied_changes(session)


def completions(session: Session, words: str) -> list[tuple[str, str]]:
    found = prompts(session.engine.trajectory) if session.engine else []
    return [(str(number), prompt.words) for number, prompt in enumerate(found, 1)]
