"""What the best candidate for a function gains, whether that is worth a patch, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from aci.counting import Workload
from aci.efficiency import LEAST_GAIN, Entry, Growth, rank, worth
from aci.target import Target
from agent.growth_chart import Measured, chart, table
from agent.moves.bench import Bench, Judged
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from aci.timing import Timing
    from agent.task import Task

UNCLEAR = 1.5
"""So wide a range says nothing about an exponent."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What a function came to. `workload` is (whole, inside the function) in instructions, before and after; empty
    where it could not be counted."""

    target: Target
    before: Judged
    after: Judged
    seeds: tuple[tuple[int, int], ...]
    workload: tuple[Workload, ...]
    timing: Timing | None

    @property
    def ratio(self) -> float:
        """Instructions before to after."""
        return self.before.cost / max(self.after.cost, 1)

    @property
    def is_worth_it(self) -> bool:
        """By the whole workload, or where that is not known by the function's own calls."""
        before, after = (each.whole for each in self.workload) if self.workload else (self.before.cost, self.after.cost)
        return worth(before, after, self.before.growth, self.after.growth)

    @property
    def measured(self) -> tuple[Measured, Measured]:
        """Both sides as they are shown."""
        wholes = [(each.whole, each.inside) for each in self.workload] or [(0, 0), (0, 0)]
        seconds = (median(self.timing.before), median(self.timing.after)) if self.timing else (None, None)
        peaks = self.timing.peaks if self.timing else (None, None)
        sides = zip((self.before, self.after), wholes, seconds, peaks, strict=True)
        first, second = (
            Measured(
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
        """What speaks against it: wall time, memory, another hash seed, a workload that ends otherwise, too little."""
        found = [self.timing.veto] if self.timing and self.timing.veto else []
        if any(after > before * (1 + LEAST_GAIN) for before, after in self.seeds):
            found.append("under another hash seed it executes more instructions")
        codes = [each.code for each in self.workload]
        if len(set(codes)) > 1:
            found.append(f"the workload ends with status {codes[1]}, not {codes[0]}")
        elif not self.is_worth_it:
            found.append("it saves less than 2 % of the workload and grows no slower")
        return found

    @property
    def summary(self) -> str:
        lesser = (
            f"{self.before.cost:,} -> {self.after.cost:,} instructions ({self.ratio:.1f}x fewer, {self.after.backend})"
        )
        return f"{lesser}; growth {growth_in_words(self.before.growth)} -> {growth_in_words(self.after.growth)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands behind it, in sentences for the verdict."""
        lines = [f"{self.target}: {self.summary}; the first call {self.before.cold:,} -> {self.after.cold:,}."]
        if not self.workload:
            lines.append("The instructions of the whole workload, or of the function in it, could not be counted.")
        if not self.timing:
            lines.append("Its calls could not be timed.")
        return tuple(lines)


def best_of(right: Sequence[Judged]) -> Judged:
    """The candidate with the fewest instructions; within 5 % of it the one with the smallest diff."""
    return right[rank([Entry(judged.cost, judged.lines) for judged in right])[0]]


def promises(before: Judged, judged: Judged) -> bool:
    """Whether a candidate executes fewer instructions, or for certain grows slower."""
    return judged.cost < before.cost or _is_below(judged.growth, before.growth)


def gain_of(bench: Bench, judged: Judged) -> Gain:
    """What a candidate gains, as far as it can be measured."""
    seeds, workload = tuple(bench.seeds(judged.tree)), tuple(bench.workload(judged.tree))
    return Gain(bench.target, bench.baseline(), judged, seeds, workload, bench.timing(judged.tree))


def _is_below(after: Growth | None, before: Growth | None) -> bool:
    return bool(after and before and after.is_below(before))


def growth_in_words(growth: Growth | None) -> str:
    if growth is None or growth.high - growth.low > UNCLEAR:
        return "not clear"
    return f"n^{growth.exponent:.2f} ({max(growth.low, 0):.2f} to {growth.high:.2f})"


def final_word(gains: Sequence[Gain], words: Sequence[str]) -> str:
    """What was measured, as a table in plain text, and what was refused."""
    tables = [table(f"{gain.target}: {gain.after.what}", *gain.measured, gain.after.backend) for gain in gains]
    return "\n".join([*tables, *words])


def draw(task: Task, gains: Sequence[Gain]) -> None:
    """`optimize.svg` in the run's folder: instructions over size, before and after; one more for each further gain."""
    for number, gain in enumerate(gains):
        if gain.before.growth:
            picture = chart(str(gain.target), gain.before.growth, gain.after.growth, f"counted by {gain.after.backend}")
            name = f"optimize-{number + 1}.svg" if number else "optimize.svg"
            write_durably(task.engine.journal.directory / name, picture.encode())
