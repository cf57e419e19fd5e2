"""The events of a session, sent to its front end in order, from the session's threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.lifecycle.run_result import Result
from agent.permissions.approvals import Answer, Approval
from agent.run_state.progress_event import ProgressEvent
from trajectories.errors import SweAgentError
from trajectories.records import Reply, Step, Turn
from trajectories.trajectory import Trajectory

MessageKind = Literal["text", "markdown", "diff", "error", "notice"]


@dataclass(frozen=True, slots=True)
class RunOpened:
    """A run was started by the first request, or was resumed with its records."""

    trajectory: Trajectory


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """A turn started. `words` is the text that the user entered."""

    turn: Turn
    words: str


@dataclass(frozen=True, slots=True)
class ProgressReported:
    """Progress that is not recorded, such as streamed text or the start of an action."""

    happening: ProgressEvent


@dataclass(frozen=True, slots=True)
class StepRecorded:
    """A step was recorded."""

    step: Step
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn ended. `proof` is the step of its last proof, or None."""

    result: Result
    proof: Step | None = None


@dataclass(frozen=True, slots=True)
class TurnStopped:
    """A turn was stopped before its end, by the user or by an error; it can be resumed."""

    error: SweAgentError


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """The session waits for `Session.answer`."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """The user answered a question."""

    approval: Approval
    answer: Answer


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """The output of a command, an error, or a `notice`. `title` is the heading of text that needs its own page."""

    text: str
    kind: MessageKind = "text"
    title: str = ""
    code: int = 1
    """For an error, the exit code of a process that runs only this request; 0 if the error does not belong to a
    request."""


@dataclass(frozen=True, slots=True)
class FrontEndRequested:
    """An action of the front end is requested: `theme`, `copy` (copy `words`), `fill` (put `words` into the prompt),
    `paste` (put the picture in the clipboard into the prompt), `help` (show `words`, or a help of its own), `runs`
    (show a list of runs to resume), `models` (offer models), `price` (ask whether the model costs anything) or `quit`.

    For `models`, `price` and `paste`, `words` is what a front end shows that cannot do it; `model` is the model with
    the price.
    `at_start` says that the session requests it at its start, as opposed to a command of the user.
    """

    what: str
    words: str = ""
    model: str = ""
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The status or the queue changed."""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session is closed; this is the last event."""


Event = (
    RunOpened
    | TurnStarted
    | ProgressReported
    | StepRecorded
    | TurnEnded
    | TurnStopped
    | QuestionAsked
    | QuestionAnswered
    | MessageEvent
    | FrontEndRequested
    | StatusChanged
    | SessionClosed
)
