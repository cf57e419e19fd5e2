"""Progress of a run, for front ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """An event that a front end may show: `delta`, `action`, `phase`, `say` or `progress` (a status that is updated
    repeatedly).

    Events are not stored; everything that must persist is in the journal.
    """

    kind: str
    branch: str
    text: str
