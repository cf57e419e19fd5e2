"""Put the picture in the clipboard into the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session.prompt_input.pasted_pictures import why_unseen
from extensions.interactive.session.session_events import FrontEndRequested
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
GROUP = "what"
NO_SCREEN = "/paste needs the session on a screen; here, a request names a picture by its path."


def run(session: Session, words: str) -> None:
    if unseen := why_unseen(session.settings, session.next_strategy):
        raise UsageError(unseen, "Choose another model: `/model NAME`.")
    session.hear(FrontEndRequested("paste", NO_SCREEN))
