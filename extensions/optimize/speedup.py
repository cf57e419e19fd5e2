"""The performance gain of the best candidate for a function: measurement, evaluation and presentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from aci.runtime.target_function import Target
from extensions.optimize.candidate_benchmark import Bench, CandidateVerdict, Sample
from extensions.optimize.growth_chart import Measurements, chart, table
from extensions.optimize.measurement.accepted_types import TypeDifference, ValueKind
from extensions.optimize.measurement.efficiency import (
    LEAST_GAIN,
    Growth,
    RankedCandidate,
    is_worthwhile,
    rank_candidates,
)
from trajectories.facts import Fact
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from agent.engine.task import Task
    from extensions.optimize.measurement.timing import Timing

LEAST_RATIO = 1.5
"""Minimum ratio of instructions before and after a built-in rewrite; a smaller gain is not worth a review."""
UNCLEAR = 1.5
"""Width of a confidence interval above which an exponent is not shown."""
KINDS: dict[ValueKind, str] = {
    "unhashable": "values that cannot be hashed, such as lists",
    "unordered": "values of several types, which cannot be ordered",
    "iterator": "an iterator instead of a list",
    "tuple": "a tuple instead of a list",
}
SLOWER = 4.0
"""Share by which the calls of the tests, which are mostly small, may become slower if large inputs become faster by a
larger factor."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The performance gain of a candidate for a function.

    `seeds` holds the instructions of one call, before and after, under other hash seeds: of the largest grown call if
    the candidate executes fewer there, otherwise of the largest recorded call. `workload` holds the processor time of
    the whole workload and of the function in it, before and after the change; it is empty if it could not be sampled.
    `slower` is the share by which recorded calls may become slower if large inputs become faster by a larger factor.
    `types` are the kinds of values that only the original accepts.
    """

    target: Target
    before: CandidateVerdict
    after: CandidateVerdict
    seeds: tuple[tuple[int, int], ...]
    workload: tuple[Sample, ...]
    timing: Timing | None
    slower: float = LEAST_GAIN
    types: tuple[TypeDifference, ...] = ()

    @property
    def ratio(self) -> float:
        """Number of instructions of the recorded calls before the change divided by the number after it."""
        return self.before.cost / max(self.after.cost, 1)

    @property
    def large_ratio(self) -> float:
        """The same for the largest grown call; 0 if there is none."""
        return self.before.large / self.after.large if self.after.large else 0.0

    @property
    def is_worth_it(self) -> bool:
        """Whether the function executes enough fewer instructions: in its recorded calls, in the largest grown call, or
        by its growth. The rest of the workload, such as the start of the test runner, does not count."""
        if is_worthwhile(self.before.cost, self.after.cost, self.before.growth, self.after.growth):
            return True
        return self.is_large_faster and self.after.cost <= self.before.cost * min(1 + self.slower, self.large_ratio)

    @property
    def is_large_faster(self) -> bool:
        return is_large_faster(self.before, self.after)

    @property
    def is_for_large_inputs_only(self) -> bool:
        """Whether the recorded calls do not execute fewer instructions, but larger inputs do."""
        return not is_worthwhile(self.before.cost, self.after.cost)

    @property
    def measured(self) -> tuple[Measurements, Measurements]:
        """The measurements before and after the change."""
        wholes = [(each.whole, each.inside) for each in self.workload] or [(0.0, 0.0), (0.0, 0.0)]
        seconds = (median(self.timing.before), median(self.timing.after)) if self.timing else (None, None)
        peaks = self.timing.peaks if self.timing else (None, None)
        sides = zip((self.before, self.after), wholes, seconds, peaks, strict=True)
        first, second = (
            Measurements(
                instructions=judged.cost,
                large=judged.large or None,
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
        """Objections to the candidate: more memory, more instructions under another hash seed, a different exit status
        of the workload, or too small a gain. Wall time is none, since it depends on the machine's load."""
        found = [self.timing.veto] if self.timing and self.timing.veto else []
        if any(after > before * (1 + LEAST_GAIN) for before, after in self.seeds):
            found.append("under another hash seed it executes more instructions")
        if self.before.large and self.after.large > self.before.large * (1 + LEAST_GAIN):
            found.append("on the largest input it executes more instructions")
        if _is_below(self.before.growth, self.after.growth):
            found.append("its cost grows faster with the size of the input")
        codes = [each.code for each in self.workload]
        if len(set(codes)) > 1:
            found.append(f"the workload ends with status {codes[1]}, not {codes[0]}")
        elif not self.is_worth_it:
            large = f", {ratio_text(self.large_ratio, 2)} on the largest input" if self.after.large else ""
            found.append(
                f"the function executes {ratio_text(self.ratio, 2)} instructions{large}, and does not grow more "
                f"slowly: less than {LEAST_GAIN:.0%} is not worth a change"
            )
        return found

    @property
    def summary(self) -> str:
        cost = (
            f"{self.before.cost:,} -> {self.after.cost:,} instructions ({ratio_text(self.ratio)}, {self.after.backend})"
        )
        large = f"; {ratio_text(self.large_ratio)} on the largest input" if self.after.large else ""
        return f"{cost}{large}; growth {growth_text(self.before.growth)} -> {growth_text(self.after.growth)}"

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The evidence. The first fact has the number of `instructions` of the recorded calls after the change."""
        target = {"function": str(self.target)}
        text = f"{self.target}: {self.summary}; the first call {self.before.cold:,} -> {self.after.cold:,}."
        lines = []
        if not self.workload:
            lines.append("The processor time of the whole workload could not be sampled.")
        else:
            before, after = self.workload
            lines.append(
                f"The function takes {before.inside / before.whole:.1%} of the workload's processor time before and "
                f"{after.inside / after.whole:.1%} after the change (sampled; it does not decide)."
            )
        if not self.timing:
            lines.append("The function's calls could not be timed.")
        lines += [f"{self.target}: {_condition_text(one)}" for one in self.types]
        first = Fact("limit", text, {**target, "instructions": self.after.cost})
        return (first, *(Fact("limit", line, {**target}) for line in lines))


def best_of(right: Sequence[CandidateVerdict]) -> CandidateVerdict:
    """Return the candidate with the smallest diff among those within 5 % of the lowest number of instructions."""
    return right[rank_candidates([RankedCandidate(judged.n, judged.lines) for judged in right])[0]]


def is_promising(before: CandidateVerdict, judged: CandidateVerdict, ratio: float = 1 + LEAST_GAIN) -> bool:
    """Return whether a candidate executes fewer instructions, in recorded or in large calls, at least by this ratio, or
    its cost clearly grows more slowly with the input size."""
    return judged.ratio_to(before) >= ratio or _is_below(judged.growth, before.growth)


def measure_gain(bench: Bench, judged: CandidateVerdict) -> Gain:
    """Measure the gain of a candidate; measurements that are impossible are left out."""
    before = bench.baseline()
    seeds = tuple(bench.seeds(judged.tree, is_large_faster(before, judged)))
    workload = tuple(bench.workload(judged.tree))
    slower = LEAST_GAIN if bench.is_workload_named else SLOWER
    types = bench.type_differences(judged.tree)
    return Gain(bench.target, before, judged, seeds, workload, bench.timing(judged.tree), slower, types)


def conditions(gains: Sequence[Gain]) -> tuple[str, ...]:
    """Return the conditions of a verdict on these gains, as `Verdict.conditions` defines them."""
    found = ["recorded types"] if any(gain.types for gain in gains) else []
    return (*(["large inputs"] if all(gain.is_for_large_inputs_only for gain in gains) else []), *found)


def _condition_text(difference: TypeDifference) -> str:
    """Return the sentence of the verdict that names a kind of values that only the original accepts."""
    outcome = "raises an exception" if difference.raises else "returns another result"
    return (
        f"For {KINDS[difference.kind]}, the new code {outcome} where the old code returns a result. No recorded call "
        f"passes such values. An example: {difference.example}"
    )


def is_large_faster(before: CandidateVerdict, after: CandidateVerdict) -> bool:
    """Return whether a candidate executes enough fewer instructions in the largest grown call."""
    return bool(after.large and is_worthwhile(before.large, after.large))


def _is_below(after: Growth | None, before: Growth | None) -> bool:
    return bool(after and before and after.is_below(before))


def ratio_text(ratio: float, digits: int = 1) -> str:
    """Return in words how many times fewer, or more, instructions the new code executes."""
    return f"{ratio:.{digits}f}x fewer" if ratio >= 1 else f"{1 / ratio:.{digits}f}x more"


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
