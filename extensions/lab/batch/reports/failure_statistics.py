"""The statistics of the failure page: sums over all runs, and the runs that stand out."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from extensions.lab.batch.reports.run_diagnosis import RunDiagnosis
from extensions.lab.instances.jobs import JobResult

MOST = 10
"""Maximum number of slowest runs, of most expensive runs, and of patterns that are shown."""
VARIES = re.compile(r"0x[0-9a-f]+|\d+|'[^']*'|\"[^\"]*\"|`[^`]*`", re.IGNORECASE)
"""Parts of a message that differ from run to run."""


@dataclass(frozen=True, slots=True)
class GoldRank:
    """How well a run found the files of the gold patch; `gold` is their number.

    `rank` is the rank within which localization found all of them (0: not all; None: no localization is recorded);
    `edited` is the number of them that the patch edits.
    """

    rank: int | None
    edited: int
    gold: int


@dataclass(frozen=True, slots=True)
class Case:
    """A run on the page. `resolved` is the evaluation's verdict, or None without one; `solved` is the verdict that the
    statistics use."""

    done: JobResult
    patch: bool
    cause: str
    solved: bool
    resolved: bool | None
    diagnosis: RunDiagnosis
    found: GoldRank | None


@dataclass(slots=True)
class Group:
    """Totals of the runs with one cause."""

    runs: int = 0
    patches: int = 0
    solved: int = 0
    dollars: float = 0.0


@dataclass(slots=True)
class LocalizationStatistics:
    """How often the gold files were found: `first` and `five` count runs in which localization ranked all of them
    within 1 and 5.

    `ranked` is the number of runs with a recorded localization.
    """

    runs: int = 0
    ranked: int = 0
    first: int = 0
    five: int = 0
    all: int = 0
    some: int = 0
    missed: int = 0
    """Runs whose gold files localization ranked among the first five, but whose patch does not edit all of them."""


@dataclass(slots=True)
class Pattern:
    """A pattern that occurs in a number of `runs`; `run` is an example, with its `text`."""

    run: str
    text: str
    runs: int = 0


@dataclass(slots=True)
class FailureStatistics:
    """Statistics of all runs. `graded` tells whether an evaluation decides which runs are solved. `golds` tells whether
    gold patches are available."""

    graded: bool = False
    golds: bool = False
    unreadable: int = 0
    damaged: int = 0
    runs: int = 0
    solved: int = 0
    priced: bool = True
    dollars: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    causes: dict[str, Group] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    places: dict[bool, LocalizationStatistics] = field(
        default_factory=lambda: {True: LocalizationStatistics(), False: LocalizationStatistics()}
    )
    """Keyed by whether the run is solved."""
    _seconds: list[float] = field(default_factory=list)
    _phases: dict[tuple[str, tuple[str, ...]], Pattern] = field(default_factory=dict)
    _seen: dict[str, Pattern] = field(default_factory=dict)
    _slowest: list[tuple[float, int, Case]] = field(default_factory=list)
    _dearest: list[tuple[float, int, Case]] = field(default_factory=list)

    def add(self, case: Case) -> None:
        done = case.done
        self.runs += 1
        self.solved += case.solved
        self.priced &= done.dollars is not None
        self.dollars += done.dollars or 0.0
        self.input_tokens += done.input_tokens
        self.cached_tokens += done.cached_tokens
        self.output_tokens += done.output_tokens
        self._seconds.append(done.seconds)
        self._keep(self._slowest, done.seconds, case)
        self._keep(self._dearest, done.dollars or 0.0, case)
        group = self.causes.setdefault(case.cause, Group())
        group.runs += 1
        group.patches += case.patch
        group.solved += case.solved
        group.dollars += done.dollars or 0.0
        if case.found is not None:
            _localize(self.places[case.solved], case.found)
        if not case.solved:
            self.failed[case.cause] += 1
        if case.cause != "infrastructure":
            self.damaged += bool(case.diagnosis.damaged)
            if not case.solved:
                self._stuck(case)

    def _stuck(self, case: Case) -> None:
        found = case.diagnosis
        if found.phase or found.acted:
            self._phases.setdefault((found.phase, found.acted), Pattern(case.done.run, "")).runs += 1
        if found.seen:
            self._seen.setdefault(VARIES.sub("…", found.seen), Pattern(case.done.run, found.seen)).runs += 1

    @property
    def per_solved(self) -> float | None:
        """Dollars of all runs divided by the number of solved ones."""
        return self.dollars / self.solved if self.solved and self.priced else None

    @property
    def middle(self) -> float:
        """Median duration of the runs in seconds."""
        return median(self._seconds) if self._seconds else 0.0

    @property
    def slowest(self) -> list[Case]:
        return [case for _, _, case in sorted(self._slowest, reverse=True)]

    @property
    def dearest(self) -> list[Case]:
        return [case for value, _, case in sorted(self._dearest, reverse=True) if value]

    @property
    def stuck(self) -> list[tuple[str, tuple[str, ...], Pattern]]:
        """The phases and last actions at which runs got stuck, the most frequent first."""
        most = heapq.nlargest(MOST, self._phases.items(), key=lambda item: item[1].runs)
        return [(phase, acted, pattern) for (phase, acted), pattern in most]

    @property
    def frequent(self) -> list[Pattern]:
        """Return the results that runs saw last, the most frequent first."""
        return heapq.nlargest(MOST, self._seen.values(), key=lambda pattern: pattern.runs)

    def _keep(self, heap: list[tuple[float, int, Case]], value: float, case: Case) -> None:
        entry = (value, -self.runs, case)  # the number breaks ties: cases have no order
        if len(heap) < MOST:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)


def _localize(sums: LocalizationStatistics, found: GoldRank) -> None:
    sums.runs += 1
    sums.all += found.edited == found.gold
    sums.some += 0 < found.edited < found.gold
    if found.rank is not None:
        sums.ranked += 1
        sums.first += found.rank == 1
        sums.five += 0 < found.rank <= 5
        sums.missed += 0 < found.rank <= 5 and found.edited < found.gold
