"""What goes between driver and node: an attempt at a run, the calls it makes, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from agent.batch.hub import Event, Order, Refusal, Turn
from agent.batch.place import Done
from agent.batch.streaming import Part
from agent.solve import VERSION
from trajectories import errors
from trajectories.errors import ModelError, SweAgentError

RAISED = ("UsageError", "ConfigError", "RunBroken", "WorkspaceError", "TryLater", "Cancelled", "SweAgentError")


class Link(Protocol):
    """The hub, as a node reaches it; see `agent/batch/hub.py`. What fails on the way is raised as WorkspaceError."""

    def pull(self, token: str) -> list[Part]: ...
    def keys(self, token: str) -> dict[str, str]: ...
    def push(self, token: str, parts: Sequence[Part], events: Sequence[Event]) -> Order: ...
    def turn(self, token: str, request: str, model: str, most: float, wait: float) -> Turn: ...
    def leave(self, token: str, request: str, answered: bool, refusal: Refusal | None) -> None: ...
    def pause(self, model: str) -> float: ...
    def bundle(self, root: Path, commit: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt at a job, as a node is given it; what its run is about, and its settings, come with its folder.

    `directory` and `repository` are where the run and its repository lie at the driver; `state` says what that
    repository is, `commit` is the run's base.
    """

    token: str
    instance: str
    repeat: int
    directory: Path
    repository: Path
    state: str
    commit: str
    workspace: Literal["docker", "local"] = "local"
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: with what the job came to, or with an error of that name."""

    done: Done | None = None
    error: str = ""
    message: str = ""
    fix: str = ""
    cause: tuple[str, str, bool] | None = None
    """Message, fix and `limited` of the failed request that the error comes of."""
    of_node: bool = False
    """Whether the machine failed as a whole, and would fail any other job."""

    @staticmethod
    def of(error: SweAgentError, of_node: bool = False) -> Outcome:
        kind = next(one.__name__ for one in type(error).__mro__ if one.__name__ in RAISED)
        asked = error.__cause__
        cause = (asked.message, asked.fix, asked.limited) if isinstance(asked, ModelError) else None
        return Outcome(None, kind, error.message, error.fix, cause, of_node)

    def result(self) -> Done:
        """Raises what the attempt raised."""
        if self.done is not None:
            return self.done
        kind: type[SweAgentError] = getattr(errors, self.error)
        cause = ModelError(self.cause[0], self.cause[1], limited=self.cause[2]) if self.cause else None
        raise kind(self.message, self.fix) from cause
