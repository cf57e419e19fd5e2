"""Who is told what goes on in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.batch.place import Done, Job
from agent.engine import Happening
from trajectories.errors import SweAgentError
from trajectories.records import Step


@dataclass(frozen=True, slots=True)
class Summary:
    """What a batch has come to so far. `exits` counts the kinds of all that is done, `left` is what is still to do.

    `dollars` is null where a request had no price; what is only held counts. `error` is what it was stopped by.
    """

    out: Path
    instances: int
    done: int
    exits: dict[str, int] = field(default_factory=dict)
    verified: int = 0
    dollars: float | None = 0.0
    seconds: float = 0.0
    left: int = 0
    error: SweAgentError | None = None

    @property
    def code(self) -> int:
        """The exit code: a batch that is done is 0, whatever its instances came to."""
        return self.error.code if self.error else 0


class Front(AbstractContextManager["Front"], Protocol):
    """Shows a batch; entered before the first call, left after the last. All but `began` may come from any thread."""

    def began(self, jobs: Sequence[Job], done: Sequence[Done] = ()) -> None:
        """These are to be done now; `done` was done by earlier processes of the batch."""

    def started(self, job: Job, image: str) -> None:
        """A worker has taken the job; `image` is "" where its workspace is no container, or the image is not known."""

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        """A step is on the record; dollars that its run has come to."""

    def happening(self, job: Job, event: Happening) -> None: ...

    def done(self, done: Done) -> None:
        """It is on the record in `results.jsonl`."""

    def say(self, text: str) -> None:
        """A line about the batch as a whole."""
