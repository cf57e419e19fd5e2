"""Progress of a run, for front ends."""

from __future__ import annotations

from dataclasses import dataclass

from aci.observation.activity_message import ActivityMessage

LIVE_DETAILS = frozenset(("replied", "output", "done", "failed"))
"""Kinds of events that only matter to front ends that show a run live."""


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """An event that a front end may show. Its kind is:

    - `ask`: a request to the model; `delta`: a piece of its reply; `replied`: the end of the reply
    - `action`: the start of an action; `output`: the last lines of its output so far; `done`, `failed`: its end
    - `progress`: the status of an activity that has started; it is updated repeatedly
    - `say`: a message; if the text is an ActivityMessage, it names an activity that starts
    - `phase`, `candidate`, `summary` or any other kind: a note of the strategy, which the run records

    Events are not stored; everything that must persist is in the journal.
    """

    kind: str
    branch: str
    text: str

    @property
    def starts_activity(self) -> bool:
        """Whether the text names an activity that starts; other events report a detail of one, or a result."""
        return self.kind in ("action", "phase") or isinstance(self.text, ActivityMessage)
