"""What is known of a batch while it runs, told by many threads: counts, money, who is at what, and the forecast."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from agent.batch.causes import cause
from agent.batch.forecast import Range, time_left, whole
from agent.batch.place import Done, Job
from agent.engine import Happening
from trajectories.records import Step

FORECAST_EVERY, AND_FOR_EACH = 1.0, 0.0005
"""Seconds for which a forecast is kept, and more for each instance that is done: it looks at all of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch may use: `total` dollars for all, `budget` for one. `pauses` tells for how many seconds each model
    that has refused too many requests is left alone."""

    workers: int
    total: float | None = None
    budget: float | None = None
    pauses: Callable[[], Mapping[str, float]] = dict


@dataclass(slots=True)
class Running:
    """An instance at work: what it is at, how many steps it has taken, what it has cost."""

    run: str
    since: float
    """By the tally's clock."""
    doing: str = "starts"
    phase: str = ""
    steps: int = 0
    dollars: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a batch stands at one moment. `dollars` is null where a request had no price; `running`: longest first."""

    total: int
    done: int
    causes: Mapping[str, int]
    dollars: float | None
    running: tuple[Running, ...]
    now: float
    """By the tally's clock."""
    seconds: float
    cost: Range | None
    left: Range | None


@dataclass(slots=True)
class Tally:
    """Safe to share between threads."""

    plan: Plan
    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock)
    _running: dict[str, Running] = field(default_factory=dict)
    _causes: Counter[str] = field(default_factory=Counter)
    _dollars: list[float] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)
    _paid: float = 0.0
    _total: int = 0
    _priced: bool = True
    _forecast: tuple[Range | None, Range | None] = (None, None)
    _forecast_at: float = -math.inf
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def began(self, jobs: Sequence[Job], done: Sequence[Done]) -> None:
        with self._lock:
            self._began = self.clock()
            self._total = len(jobs) + len(done)
            for one in done:
                self._add(one, one.seconds)

    def started(self, job: Job) -> None:
        with self._lock:
            self._running[job.run] = Running(job.run, self.clock())

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        with self._lock:
            if running := self._running.get(job.run):
                running.dollars, running.doing = dollars, "works"
                running.steps += 1

    def happening(self, job: Job, event: Happening) -> None:
        with self._lock:
            if (running := self._running.get(job.run)) is None:
                return
            if event.kind == "phase":
                running.phase = event.text
            running.doing = "thinks" if event.kind in ("ask", "delta") else event.text

    def done(self, done: Done) -> float:
        """Returns how many seconds it took, as seen here."""
        with self._lock:
            running = self._running.pop(done.run, None)
            seconds = self.clock() - running.since if running else done.seconds
            self._add(done, seconds)
            return seconds

    def _add(self, done: Done, seconds: float) -> None:
        self._causes[cause(done)] += 1
        self._priced &= done.dollars is not None
        self._paid += done.dollars or 0.0
        self._dollars.append(done.dollars or 0.0)
        self._seconds.append(seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the batch was begun here."""
        return self.clock() - self._began

    def standing(self) -> Standing:
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
        if stale:  # nobody waits for it: the lock is free
            most = math.inf if self.plan.budget is None else self.plan.budget
            cost = whole(dollars, paid, waiting, most) if priced else None
            ages = [now - one.since for one in running]
            self._forecast = cost, time_left(seconds, ages, waiting, self.plan.workers)
        return Standing(
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
