"""Messages between driver and node: an attempt at a run, the calls that it makes, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from agent.version import __version__
from extensions.lab.batch.remote_hub import Event, Order, PermitReply, Refusal
from extensions.lab.batch.run_upload import FileChunk
from extensions.lab.instances.jobs import JobResult
from trajectories import errors
from trajectories.errors import ModelError, SweAgentError

RAISED = ("UsageError", "ConfigError", "RunBroken", "WorkspaceError", "TryLater", "Cancelled", "SweAgentError")


class HubConnection(Protocol):
    """The hub (`extensions/lab/batch/remote_hub.py`) as seen by a node; a failed connection raises WorkspaceError."""

    def pull(self, token: str) -> list[FileChunk]: ...
    def keys(self, token: str) -> dict[str, str]: ...
    def push(self, token: str, parts: Sequence[FileChunk], events: Sequence[Event]) -> Order: ...
    def turn(self, token: str, request: str, model: str, most: float, wait: float) -> PermitReply: ...
    def leave(self, token: str, request: str, answered: bool, refusal: Refusal | None) -> None: ...
    def pause(self, model: str) -> float: ...
    def bundle(self, root: Path, commit: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """One attempt at a job, sent to a node; the issue and the settings are in the run's folder.

    `directory` and `repository` are the paths of the run and its repository on the driver's machine. `state` identifies
    the repository's content, `commit` is the run's base.
    """

    token: str
    instance: str
    repeat: int
    directory: Path
    repository: Path
    state: str
    commit: str
    workspace: Literal["docker", "sandbox", "local"] = "local"
    version: str = __version__


@dataclass(frozen=True, slots=True)
class RemoteOutcome:
    """The end of an attempt: with the job's result, or with an error of the class named `error`."""

    done: JobResult | None = None
    error: str = ""
    message: str = ""
    fix: str = ""
    cause: tuple[str, str, bool] | None = None
    """Message, fix and `limited` of the failed request that caused the error."""
    of_node: bool = False
    """Whether the machine failed as a whole, so that any other job would fail on it too."""

    @staticmethod
    def of(error: SweAgentError, of_node: bool = False) -> RemoteOutcome:
        kind = next(one.__name__ for one in type(error).__mro__ if one.__name__ in RAISED)
        asked = error.__cause__
        cause = (asked.message, asked.fix, asked.limited) if isinstance(asked, ModelError) else None
        return RemoteOutcome(None, kind, error.message, error.fix, cause, of_node)

    def result(self) -> JobResult:
        """Return the job's result, or raise the attempt's error."""
        if self.done is not None:
            return self.done
        kind: type[SweAgentError] = getattr(errors, self.error)
        cause = ModelError(self.cause[0], self.cause[1], limited=self.cause[2]) if self.cause else None
        raise kind(self.message, self.fix) from cause
