"""The performance gain of the best candidate for a function: measurement, evaluation and presentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from aci.performance.efficiency import LEAST_GAIN, Growth, RankedCandidate, is_worthwhile, rank_candidates
from aci.performance.instruction_count import Workload
from aci.performance.target_function import Target
from agent.optimization.candidate_benchmark import Bench, CandidateVerdict
from agent.optimization.growth_chart import Measurements, chart, table
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from aci.performance.timing import Timing
    from agent.engine.task import Task

UNCLEAR = 1.5
"""Width of a confidence interval above which an exponent is not shown."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The performance gain of a candidate for a function.

    `workload` holds the instruction counts of the whole workload and of the function in it, before and after the
    change; it is empty if they could not be counted.
    """

    target: Target
    before: CandidateVerdict
    after: CandidateVerdict
    seeds: tuple[tuple[int, int], ...]
    workload: tuple[Workload, ...]
    timing: Timing | None

    @property
    def ratio(self) -> float:
        """Number of instructions before the change divided by the number after it."""
        return self.before.cost / max(self.after.cost, 1)

    @property
    def is_worth_it(self) -> bool:
        """Whether the gain is large enough, measured on the whole workload or, if that is unknown, on the function's
        calls."""
        before, after = (each.whole for each in self.workload) if self.workload else (self.before.cost, self.after.cost)
        return is_worthwhile(before, after, self.before.growth, self.after.growth)

    @property
    def measured(self) -> tuple[Measurements, Measurements]:
        """The measurements before and after the change."""
        wholes = [(each.whole, each.inside) for each in self.workload] or [(0, 0), (0, 0)]
        seconds = (median(self.timing.before), median(self.timing.after)) if self.timing else (None, None)
        peaks = self.timing.peaks if self.timing else (None, None)
        sides = zip((self.before, self.after), wholes, seconds, peaks, strict=True)
        first, second = (
            Measurements(
                instructions=judged.cost,
                growth=judged.growth,
                share=inside / whole if whole else None,
                workload=whole or None,
                seconds=taken,
                memory=peak,
            )
            for judged, (whole, inside), taken, peak in sides
        )
        return first, second

    @property
    def against(self) -> list[str]:
        """Objections to the candidate: worse wall time or memory, more instructions under another hash seed, a
        different exit status of the workload, or too small a gain."""
        found = [self.timing.veto] if self.timing and self.timing.veto else []
        if any(after > before * (1 + LEAST_GAIN) for before, after in self.seeds):
            found.append("under another hash seed it executes more instructions")
        codes = [each.code for each in self.workload]
        if len(set(codes)) > 1:
            found.append(f"the workload ends with status {codes[1]}, not {codes[0]}")
        elif not self.is_worth_it:
            found.append("it saves less than 2 % of the workload and does not grow more slowly")
        return found

    @property
    def summary(self) -> str:
        cost = (
            f"{self.before.cost:,} -> {self.after.cost:,} instructions ({self.ratio:.1f}x fewer, {self.after.backend})"
        )
        return f"{cost}; growth {growth_text(self.before.growth)} -> {growth_text(self.after.growth)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the verdict that state the evidence."""
        lines = [f"{self.target}: {self.summary}; the first call {self.before.cold:,} -> {self.after.cold:,}."]
        if not self.workload:
            lines.append("The instructions of the whole workload, or of the function in it, could not be counted.")
        if not self.timing:
            lines.append("The function's calls could not be timed.")
        return tuple(lines)


def best_of(right: Sequence[CandidateVerdict]) -> CandidateVerdict:
    """Return the candidate with the smallest diff among those within 5 % of the lowest number of instructions."""
    return right[rank_candidates([RankedCandidate(judged.cost, judged.lines) for judged in right])[0]]


def is_promising(before: CandidateVerdict, judged: CandidateVerdict) -> bool:
    """Return whether a candidate executes fewer instructions, or its cost clearly grows more slowly with the input
    size."""
    return judged.cost < before.cost or _is_below(judged.growth, before.growth)


def measure_gain(bench: Bench, judged: CandidateVerdict) -> Gain:
    """Measure the gain of a candidate; measurements that are impossible are left out."""
    seeds, workload = tuple(bench.seeds(judged.tree)), tuple(bench.workload(judged.tree))
    return Gain(bench.target, bench.baseline(), judged, seeds, workload, bench.timing(judged.tree))


def _is_below(after: Growth | None, before: Growth | None) -> bool:
    return bool(after and before and after.is_below(before))


def growth_text(growth: Growth | None) -> str:
    if growth is None or growth.high - growth.low > UNCLEAR:
        return "unclear"
    return f"n^{growth.exponent:.2f} ({max(growth.low, 0):.2f} to {growth.high:.2f})"


def final_summary(gains: Sequence[Gain], words: Sequence[str]) -> str:
    """Return the measurements as text tables, followed by `words`, the lines about rejected candidates."""
    tables = [table(f"{gain.target}: {gain.after.what}", *gain.measured, gain.after.backend) for gain in gains]
    return "\n".join([*tables, *words])


def write_charts(task: Task, gains: Sequence[Gain]) -> None:
    """Write charts of the number of instructions by input size to the run's folder: `optimize.svg`, `optimize-2.svg`,
    …"""
    for number, gain in enumerate(gains):
        if gain.before.growth:
            picture = chart(str(gain.target), gain.before.growth, gain.after.growth, f"counted by {gain.after.backend}")
            name = f"optimize-{number + 1}.svg" if number else "optimize.svg"
            write_durably(task.branch.engine.journal.directory / name, picture.encode())
