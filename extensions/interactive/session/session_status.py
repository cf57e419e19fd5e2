"""The status of a session, for the status line and the side panel; thread-safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trajectories.records import Spent
    from trajectories.verdict import Verdict

State = Literal["idle", "working", "asking", "paused"]


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that the session changed; `letter` is A, M, D or R, and the numbers of lines are None for a binary
    file."""

    letter: str
    path: str
    added: int | None = None
    removed: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a session.

    `context` is the share of the model's context window that the last request used, or None if unknown. `base` is the
    state from which the run started ("1a2b3c4 + 3 changes"), or the session's last commit on the user's branch.
    `branch` is that branch, and `seconds` is the time for which the run was active. `phases` are the phases of the turn
    so far, `files` are the session's changes that are not applied (in place: not committed), and `verdict` is the
    verdict of the last proof if it still applies to these files. `edited` are files that the user changed and the
    session has not merged yet.
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
    in_place: bool = False
    """Whether changes are written to the user's files at once."""
    kept_back: tuple[str, ...] = ()
    """The changed files that are not written, although the session works in place."""
