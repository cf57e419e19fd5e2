"""What the best candidate for a function gains, whether that is worth a patch, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from aci.efficiency import Entry, Growth, rank, worth
from aci.target import Target
from agent.growth_chart import Measured, chart, rows
from agent.moves.bench import Bench, Judged
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from aci.timing import Timing
    from agent.task import Task


@dataclass(frozen=True, slots=True)
class Gain:
    """What a function came to. `workload` is (whole, inside the function) in instructions, before and after; empty
    where it could not be counted."""

    target: Target
    before: Judged
    after: Judged
    seeds: tuple[tuple[int, int], ...]
    workload: tuple[tuple[int, int], ...]
    timing: Timing | None

    @property
    def ratio(self) -> float:
        """Instructions before to after."""
        return self.before.cost / max(self.after.cost, 1)

    @property
    def is_worth_it(self) -> bool:
        """By the whole workload, or where that is not known by the function's own calls."""
        (before, _), (after, _) = self.workload or ((self.before.cost, 0), (self.after.cost, 0))
        return worth(before, after, self.before.growth, self.after.growth)

    @property
    def measured(self) -> tuple[Measured, Measured]:
        """Both sides as they are shown."""
        wholes = self.workload or ((0, 0), (0, 0))
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
    def vetoes(self) -> list[str]:
        """What wall time and memory say against it, and what other hash seeds do."""
        found = [self.timing.veto] if self.timing and self.timing.veto else []
        if any(after >= before for before, after in self.seeds):
            found.append("under another hash seed it executes no fewer instructions")
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
            lines.append("The workload takes too long for its instructions to be counted.")
        return tuple(lines)


def gain_of(bench: Bench, right: Sequence[Judged]) -> tuple[Gain | None, str]:
    """What the best of these candidates gains; None, and why, where it is not worth its patch."""
    before = bench.baseline()
    best = right[rank([Entry(judged.cost, judged.lines) for judged in right])[0]]
    if best.cost >= before.cost and not _is_below(best.growth, before.growth):
        return None, f"of {len(right)} right candidates none executes fewer instructions."
    seeds = tuple((first, second) for first, second in bench.seeds(best.tree))
    workload = tuple((whole, inside) for whole, inside in bench.workload(best.tree))
    gain = Gain(bench.target, before, best, seeds, workload, bench.timing(best.tree))
    if not gain.is_worth_it:
        return None, f"{best.what} is not worth a patch: {' '.join(gain.notes)}"
    return gain, ""


def _is_below(after: Growth | None, before: Growth | None) -> bool:
    return bool(after and before and after.is_below(before))


def growth_in_words(growth: Growth | None) -> str:
    return f"n^{growth.exponent:.2f} ({growth.low:.2f} to {growth.high:.2f})" if growth else "unknown"


def final_word(gains: Sequence[Gain], words: Sequence[str]) -> str:
    """What was measured, as a table in plain text, and what was refused."""
    lines: list[str] = []
    for gain in gains:
        found = [("", "before", "after", "ratio"), *rows(*gain.measured, gain.after.backend)]
        widths = [max(len(row[column]) for row in found) for column in range(4)]
        lines += [f"{gain.target}: {gain.after.what}"]
        for first, *rest in found:
            cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
            lines.append(f"  {first.ljust(widths[0])}  {'  '.join(cells)}".rstrip())
    return "\n".join([*lines, *words])


def draw(task: Task, gains: Sequence[Gain]) -> None:
    """`optimize.svg` in the run's folder: instructions over size, before and after; one more for each further gain."""
    for number, gain in enumerate(gains):
        if gain.before.growth:
            picture = chart(str(gain.target), gain.before.growth, gain.after.growth, f"counted by {gain.after.backend}")
            name = f"optimize-{number + 1}.svg" if number else "optimize.svg"
            write_durably(task.engine.journal.directory / name, picture.encode())
