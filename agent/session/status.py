"""How a session stands, for a status line and a side panel: read at any time, from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.ledger import Spent

State = Literal["idle", "working", "asking", "paused"]


@dataclass(frozen=True, slots=True)
class Status:
    """`context` is the share of the model's window that the last request took, None where nobody knows.

    `base` is where the run began ("1a2b3c4 + 3 changes"), `branch` the user's, `seconds` live time of the run.
    `phases` are the strategy's so far, `files` what the session changed against its base with its letter (A, M, D),
    `proof` the last verdict in words.
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
    files: tuple[tuple[str, str], ...] = ()
    proof: str = ""
