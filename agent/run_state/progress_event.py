"""Progress of a run, for front ends."""

from __future__ import annotations

from dataclasses import dataclass

LIVE_DETAILS = frozenset(("replied", "output", "done", "failed"))
"""Kinds of events that only matter to front ends that show a run live."""


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """An event that a front end may show: `ask` (a request to the model), `delta` (a piece of its reply) and `replied`
    (the end of the reply); `action` (the start of an action), `output` (the last lines of its output so far), `done`
    and `failed` (the end of the action); `phase`, `say` or `progress` (a status that is updated repeatedly).

    Events are not stored; everything that must persist is in the journal.
    """

    kind: str
    branch: str
    text: str
