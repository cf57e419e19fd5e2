"""The interface to executors, which solve instances: one Protocol, with a module for each in `batch/executors/`.

The driver has one thread for each worker. A thread takes a job and calls `solve`, which blocks until the run has ended
or cannot continue. Budgets, order, records and retries are the driver's concern, not the executor's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.config.settings import Settings
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.run_state.progress_event import ProgressEvent
from trajectories.errors import UsageError
from trajectories.records import Issue, Step

FAILED = "infrastructure"
"""The `kind` of a job that was abandoned."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as a solver sees it, without its solution and the tests that judge it.

    `repo` is owner/name, a URL or a path; `base` is a commit, or "" for the repository's newest commit. `image` and
    `test` come from the instance's row; they are "" if the row has none. `hints` holds the comments below the issue,
    which are included only on request. `pictures` are the URLs of the issue's pictures, which are fetched when a run
    starts.
    """

    id: str
    repo: str
    base: str
    issue: Issue
    version: str = ""
    image: str = ""
    test: str = ""
    hints: str = ""
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """Attempt `repeat` (from 1) at an instance.

    `settings` are the settings of this attempt, including its image and tests, its reservation as `budget`, and the
    batch's folder as `state`; its run is therefore in `<state>/runs/<run>`.
    """

    instance: Instance
    repeat: int
    repository: Path
    settings: Settings

    @property
    def run(self) -> str:
        """The name of the run, which is also the name of its folder."""
        return self.instance.id if self.repeat == 1 else f"{self.instance.id}.{self.repeat}"

    @property
    def directory(self) -> Path:
        return self.settings.runs / self.run


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job: one line of `results.jsonl`.

    `code` and `kind` are those of the run's exit record. If infrastructure failed in every try, `kind` is
    `infrastructure` and `error` describes the failure; such a result is not `final`, and the next start of the batch
    tries the job again. `dollars` is null if the price of a request is unknown; it includes unsettled reservations.
    `patch` contains only changes to source files, not to tests.
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
class JobWatch:
    """Callbacks that an executor calls from any thread while it solves a job, and the token that stops all jobs."""

    cancel: CancellationToken
    limiter: Limiter
    step: Callable[[Job, Step, float | None], object] = lambda job, step, dollars: None
    """Called after a step is recorded, with the dollars that the run has spent so far."""
    happening: Callable[[Job, ProgressEvent], object] = lambda job, event: None


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """Options for opening an executor: the batch's folder, and the number of simultaneous jobs."""

    out: Path
    workers: int
    cancel: CancellationToken
    more: dict[str, str] = field(default_factory=dict)
    """The executor's own options (`--engine ray --engine-option address=…`)."""


def read_engine_options(given: Sequence[str]) -> dict[str, str]:
    """Return the options of an engine by name. Raises UsageError for one that is not NAME=VALUE."""
    found = {}
    for option in given:
        name, equals, value = option.partition("=")
        if not name or not equals:
            raise UsageError(f"--engine-option {option!r} is not an option.", "Give NAME=VALUE.")
        found[name] = value
    return found


class Executor(Protocol):
    """An executor of jobs, on this machine or elsewhere."""

    def solve(self, job: Job, watch: JobWatch) -> JobResult:
        """Run the job to its end, or resume it from `job.directory`, which afterwards contains the whole record.

        Raises WorkspaceError or TryLater if infrastructure failed (calling it again resumes the run), Cancelled when
        stopped, ConfigError and Refused for problems that only the user can fix.
        """
        ...

    def close(self) -> None: ...
