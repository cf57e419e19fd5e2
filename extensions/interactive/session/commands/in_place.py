"""Write each change to your files at once, or only on /apply; alone, show which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.settings import under_policy
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

USAGE = "[on|off]"
GROUP = "how"
ON = "The session writes each change to your files at once; commands still run in its copy."
OFF = "Your files change only on /apply and /commit."


def run(session: Session, words: str) -> None:
    if words not in ("", "on", "off"):
        raise UsageError(f"/in-place cannot be {words!r}.", "Write /in-place on, or /in-place off.")
    if words:
        settings = under_policy(session.settings.model_copy(update={"in_place": words == "on"}))
        if settings.in_place != (words == "on"):
            raise UsageError("The administrator's policy sets in_place.", "Only the administrator can change it.")
        session.settings = settings
        session.turns.in_place.begin(here=True)
        session.turns.in_place.write()
        session.turns.in_place.end()
    session.show(ON if session.settings.in_place else OFF)


def completions(session: Session, words: str) -> list[str]:
    return ["on", "off"]
