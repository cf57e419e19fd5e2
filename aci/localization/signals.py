"""Signals: a value between 0 and 1 for each candidate, with reasons as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SMALLEST = 0.05
"""The value that counts as 0 on a logarithmic scale."""
RANGE = 8.0


@dataclass(slots=True)
class Signal:
    """`values` holds a value for each candidate, 0 by default; `why` holds the reasons for some candidates, and
    `common` is the reason for the others."""

    values: Floats
    why: dict[int, str] = field(default_factory=dict)
    common: str = ""

    @staticmethod
    def none(candidates: int) -> Signal:
        return Signal(np.zeros(candidates))

    def raise_to(self, candidate: int, value: float, why: str) -> None:
        """Raise a candidate's value to at least this one; the reason for the highest value is kept."""
        if value > self.values[candidate]:
            self.values[candidate] = value
            self.why[candidate] = why

    def reason(self, candidate: int) -> str:
        return self.why.get(candidate, self.common)


Signals = Mapping[str, Signal]


@dataclass(frozen=True, slots=True)
class IssueWords:
    """The words of an issue in lower case, with their weights.

    `title` and `prose` are those of its title and of its text outside examples and tracebacks, `names` the whole
    identifiers in it, `all` those of the whole text.
    """

    title: Mapping[str, float]
    all: Mapping[str, float]
    prose: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, float] = field(default_factory=dict)


def normalise(values: Floats) -> Floats:
    """Return the values divided by the greatest one."""
    greatest = values.max(initial=0.0)
    return values / greatest if greatest > 0 else values


def log_scale(values: Floats) -> Floats:
    """Return values between 0 and 1 on a logarithmic scale, on which small values differ more."""
    scaled: Floats = np.log(values + SMALLEST) / -np.log(SMALLEST) + 1
    return scaled


def below_best(scores: Floats) -> Floats:
    """Return 1 for the greatest score, less for lower ones, and 0 for those that are lower by RANGE or more."""
    return 1 + np.maximum(scores - scores.max(initial=-np.inf), -RANGE) / RANGE
