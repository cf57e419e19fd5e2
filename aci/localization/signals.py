"""Signals: a value between 0 and 1 for each candidate, with reasons as text.

A candidate's score is their weighted sum, and the signals that contribute most are the reasons.
`benchmarks/fit_localization.py` fits the weights and writes them to `weights.json`. The weights of signals that need a
run of the issue's example are set by hand, since few of the issues used for fitting have an example that runs.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

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


FILE_SIGNALS, FUNCTION_SIGNALS = "files", "functions"
BY_HAND = {FILE_SIGNALS: {"ran": 0.5}, FUNCTION_SIGNALS: {"ran": 1.0}}
MOST_REASONS = 4
LEAST_REASON = 0.03
"""Share of a candidate's score below which a signal is not given as a reason."""


@cache
def fitted_weights(kind: str) -> Mapping[str, float]:
    """Return the weights in `weights.json`."""
    found: dict[str, float] = json.loads(files(__package__).joinpath("weights.json").read_text("utf-8"))[kind]
    return found


@cache
def weights(kind: str) -> Mapping[str, float]:
    """Return the weight of each signal of files or of functions."""
    return {**fitted_weights(kind), **BY_HAND[kind]}


def scores(signals: Mapping[str, Signal], kind: str, count: int, without: Container[str] = ()) -> Floats:
    """Return the scores of all candidates, `without` some signals; only their order and differences are meaningful."""
    total = np.zeros(count)
    for name, weight in weights(kind).items() if count else ():
        if name not in without:
            total += weight * signals[name].values
    return total


def reasons(signals: Mapping[str, Signal], kind: str, candidate: int) -> tuple[str, ...]:
    """Return the reasons for a candidate as text, heaviest first."""
    parts = {name: weight * signals[name].values[candidate] for name, weight in weights(kind).items()}
    whole = sum(part for part in parts.values() if part > 0)
    texts: dict[str, None] = {}
    for name in sorted(parts, key=lambda name: (-parts[name], name)):
        reason = signals[name].reason(candidate)
        if reason and parts[name] > LEAST_REASON * whole:
            texts.setdefault(reason)
    return tuple(texts)[:MOST_REASONS]
