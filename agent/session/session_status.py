"""How a session stands, for a status line and a side panel: read at any time, from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trajectories.records import Spent, Verdict

State = Literal["idle", "working", "asking", "paused"]


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """What a session did to a file against its base: `letter` is A, M, D or R; lines are None in a binary file."""

    letter: str
    path: str
    added: int | None = None
    removed: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """`context` is the share of the model's window that the last request took, None where nobody knows.

    `base` is where the run began ("1a2b3c4 + 3 changes"), `branch` the user's, `seconds` live time of the run.
    `phases` are the turn's so far, `files` what the session changed against its base, `verdict` the last proof's while
    it holds for these files. `edited` are the files that the user changed and the session has not taken over yet.
    """

    state: State
    mode: str
    strategy: str
    model: str
    workspace: str
    branch: str
    base: str
    spent: Spent | None
    budget: float | None
    seconds: float
    context: float | None = None
    queued: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    files: tuple[ChangedFile, ...] = ()
    verdict: Verdict | None = None
    edited: tuple[str, ...] = ()
