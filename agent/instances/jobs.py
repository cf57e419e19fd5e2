"""The border to where an instance is solved: one Protocol, one file a place under `places/`.

The driver has a thread a worker; each takes a job and calls `solve`, which blocks until the run has ended or cannot go
on. So a place knows nothing of budgets, order, records and retries: these are the driver's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.engine import Happening, Token
from agent.limiter import Limiter
from agent.settings import Settings
from trajectories.records import Issue, Step

FAILED = "infrastructure"
"""The kind of what was given up."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What a solver may know of an instance: no part of its solution, or of the tests that judge it, is in it.

    `repo` is owner/name, a URL or a path; `base` a commit, or "" for the repository's newest. `image` and `test` are
    what its row names, else "". `hints` is what was said below the issue, shown only where it is asked for.
    """

    id: str
    repo: str
    base: str
    issue: Issue
    version: str = ""
    image: str = ""
    test: str = ""
    hints: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Attempt `repeat` (from 1) at an instance. `settings` are this attempt's own: its image and tests, its lease as
    `budget`, the batch's folder as `state`, so that its run lies in `<state>/runs/<run>`."""

    instance: Instance
    repeat: int
    repository: Path
    settings: Settings

    @property
    def run(self) -> str:
        """The name of its run, and of the folder it lies in."""
        return self.instance.id if self.repeat == 1 else f"{self.instance.id}.{self.repeat}"

    @property
    def directory(self) -> Path:
        return self.settings.runs / self.run


@dataclass(frozen=True, slots=True)
class Done:
    """What a job came to: one line of `results.jsonl`.

    `code` and `kind` are those of the run's exit record; where infrastructure failed to the last try, `kind` is
    `infrastructure` and `error` says how: that is not `final`, and the job is tried again when the batch is started
    again. `dollars` is null where a request had no price; what is only held counts. `patch` is the source part alone.
    """

    instance: str
    repeat: int
    run: str
    code: int
    kind: str
    verdict: str
    patch: str
    dollars: float | None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    steps: int = 0
    seconds: float = 0.0
    tries: int = 1
    error: str = ""
    at: float = 0.0

    @property
    def final(self) -> bool:
        return self.kind != FAILED


@dataclass(frozen=True, slots=True)
class Watch:
    """What a place tells while it solves, from any thread, and heeds: `cancel` stops all jobs in order."""

    cancel: Token
    limiter: Limiter
    step: Callable[[Job, Step, float | None], object] = lambda job, step, dollars: None
    """A step is on the record; dollars that the run has come to so far."""
    happening: Callable[[Job, Happening], object] = lambda job, event: None


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """What a place is opened with: the batch's folder, and how many jobs are solved at a time."""

    out: Path
    workers: int
    cancel: Token
    more: dict[str, str] = field(default_factory=dict)
    """A place's own options (`--engine ray --engine-option address=…`)."""


class Place(Protocol):
    """Somewhere instances are solved."""

    def solve(self, job: Job, watch: Watch) -> Done:
        """The job's run to its end, begun or gone on with from what lies in `job.directory`, where its whole record
        lies afterwards.

        Raises WorkspaceError or TryLater where infrastructure failed (it may be called again, and goes on), Cancelled
        when stopped, ConfigError and Refused where only the user can mend it.
        """
        ...

    def close(self) -> None: ...


def open_place(kind: str, options: PlaceOptions) -> Place:
    """Open the place named `kind` (a file of `agent/batch/places/`). Raises UsageError for an unknown one."""
    from trajectories.plugins import find

    opener: Callable[[PlaceOptions], Place] = find("agent.batch.places", kind, "open", "engine")
    return opener(options)
