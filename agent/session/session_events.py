"""What a session tells its front end, in order, from its own threads. A front end never asks twice: all is in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.approvals import Answer, Approval
from agent.engine import Happening
from agent.solve import Result
from trajectories.errors import SweAgentError
from trajectories.records import Reply, Step, Turn
from trajectories.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Opened:
    """A run is there: begun with the first request, or taken up again with all that it holds."""

    trajectory: Trajectory


@dataclass(frozen=True, slots=True)
class Began:
    """A turn begins. `words` are the user's."""

    turn: Turn
    words: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something ephemeral: text that streams, an action that begins."""

    happening: Happening


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is on the record."""

    step: Step
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn is over. `proof` is the step of its last proof, None where there was none."""

    result: Result
    proof: Step | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A turn stopped before its end, by the user or by trouble; it can be gone on with."""

    error: SweAgentError


@dataclass(frozen=True, slots=True)
class Asked:
    """The session waits for `Session.answer`."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Answered:
    approval: Approval
    answer: Answer


@dataclass(frozen=True, slots=True)
class Told:
    """What a command answers, what is wrong, or (`notice`) what is good to know and nobody asked for. `title` heads
    what is long enough for a page of its own."""

    text: str
    kind: Literal["text", "markdown", "diff", "error", "notice"] = "text"
    title: str = ""
    code: int = 1
    """Of an error: what a process that does only this would end with; 0 where it is no request's."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The user asked for something that only a front end has: `theme`, `copy` (`words`), `runs` (a list to resume
    from), `quit`."""

    what: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """The status, or what waits in the queue, is another."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event."""


Event = Opened | Began | Happened | Stepped | Ended | Stopped | Asked | Answered | Told | Wanted | Changed | Closed
