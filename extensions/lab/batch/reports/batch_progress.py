"""The progress of a running batch, updated by many threads: counts, money, running instances, forecast."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from agent.run_state.progress_event import ProgressEvent
from extensions.lab.batch.reports.forecast import ForecastRange, forecast_cost, forecast_time
from extensions.lab.batch.reports.outcome_reasons import outcome_reason
from extensions.lab.instances.jobs import Job, JobResult
from trajectories.records import Step

FORECAST_EVERY, AND_FOR_EACH = 1.0, 0.0005
"""Seconds for which a forecast is reused: a minimum, plus an amount for each finished instance, since the forecast uses
all of them."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The limits of a batch: `total` dollars for all instances, `budget` for one.

    `pauses` returns the remaining seconds of each rate-limited model's pause.
    """

    workers: int
    total: float | None = None
    budget: float | None = None
    pauses: Callable[[], Mapping[str, float]] = dict


@dataclass(slots=True)
class RunningInstance:
    """A running instance: its activity, its number of steps, and its cost."""

    run: str
    since: float
    """Start time by the clock of `BatchProgress`."""
    doing: str = "starts"
    phase: str = ""
    steps: int = 0
    dollars: float | None = 0.0


@dataclass(frozen=True, slots=True)
class BatchSnapshot:
    """The state of a batch at one moment. `dollars` is None if a request had no price; `running` is sorted by duration,
    longest first."""

    total: int
    done: int
    causes: Mapping[str, int]
    dollars: float | None
    running: tuple[RunningInstance, ...]
    now: float
    """Time by the clock of `BatchProgress`."""
    seconds: float
    cost: ForecastRange | None
    left: ForecastRange | None


@dataclass(slots=True)
class BatchProgress:
    """The progress of a batch. Thread-safe."""

    plan: BatchLimits
    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)
    _running: dict[str, RunningInstance] = field(default_factory=dict)
    _causes: Counter[str] = field(default_factory=Counter)
    _dollars: list[float] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)
    _paid: float = 0.0
    _total: int = 0
    _priced: bool = True
    _forecast: tuple[ForecastRange | None, ForecastRange | None] = (None, None)
    _forecast_at: float = -math.inf
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def began(self, jobs: Sequence[Job], done: Sequence[JobResult]) -> None:
        with self._lock:
            self._began = self.clock()
            self._total = len(jobs) + len(done)
            for one in done:
                self._add(one, one.seconds)

    def started(self, job: Job) -> None:
        with self._lock:
            self._running[job.run] = RunningInstance(job.run, self.clock())

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        with self._lock:
            if running := self._running.get(job.run):
                running.dollars, running.doing = dollars, "works"
                running.steps += 1

    def happening(self, job: Job, event: ProgressEvent) -> None:
        with self._lock:
            if (running := self._running.get(job.run)) is None:
                return
            if event.kind == "phase":
                running.phase = event.text
            if event.kind in ("ask", "delta"):
                running.doing = "thinks"
            elif event.kind == "progress" or event.starts_activity:
                running.doing = event.text

    def done(self, done: JobResult) -> float:
        """Record a result and return how many seconds the instance took in this process."""
        with self._lock:
            running = self._running.pop(done.run, None)
            seconds = self.clock() - running.since if running else done.seconds
            self._add(done, seconds)
            return seconds

    def _add(self, done: JobResult, seconds: float) -> None:
        self._causes[outcome_reason(done)] += 1
        self._priced &= done.dollars is not None
        self._paid += done.dollars or 0.0
        self._dollars.append(done.dollars or 0.0)
        self._seconds.append(seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since this process started the batch."""
        return self.clock() - self._began

    def snapshot(self) -> BatchSnapshot:
        with self._lock:
            now = self.clock()
            running = tuple(replace(one) for one in sorted(self._running.values(), key=lambda one: one.since))
            number, spent, causes = len(self._dollars), self._paid, dict(self._causes)
            priced = self._priced and all(one.dollars is not None for one in running)
            waiting = max(0, self._total - number - len(running))
            stale = now - self._forecast_at >= FORECAST_EVERY + AND_FOR_EACH * number or not (running or waiting)
            dollars, seconds = (list(self._dollars), list(self._seconds)) if stale else ([], [])
            self._forecast_at = now if stale else self._forecast_at
        paid = [one.dollars or 0.0 for one in running]
        if stale:  # computed without the lock, so that no thread waits for it
            most = math.inf if self.plan.budget is None else self.plan.budget
            cost = forecast_cost(dollars, paid, waiting, most) if priced else None
            ages = [now - one.since for one in running]
            self._forecast = cost, forecast_time(seconds, ages, waiting, self.plan.workers)
        return BatchSnapshot(
            total=self._total,
            done=number,
            causes=causes,
            dollars=math.fsum([spent, *paid]) if priced else None,
            running=running,
            now=now,
            seconds=now - self._began,
            cost=self._forecast[0] if priced else None,
            left=self._forecast[1],
        )
