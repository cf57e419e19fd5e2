"""What the signals of a candidate come to: a weighted sum, and its weightiest parts as reasons.

The weights are fitted by `benchmarks/fit_localization.py` and kept in `weights.json`, but for what only a run tells:
few of the issues that they are fitted on can be run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np

from aci.localization.signals import Floats, Signal

FILE_SIGNALS, FUNCTION_SIGNALS = "files", "functions"
BY_HAND = {FILE_SIGNALS: {"ran": 0.5}, FUNCTION_SIGNALS: {"ran": 1.0}}
MOST_REASONS = 4
LEAST_REASON = 0.03
"""Share of a candidate's score below which a signal is no reason."""


@cache
def weights(kind: str) -> Mapping[str, float]:
    """Of each signal of files or of functions."""
    found: dict[str, float] = json.loads(files(__package__).joinpath("weights.json").read_text("utf-8"))[kind]
    return {**found, **BY_HAND[kind]}


def scores(signals: Mapping[str, Signal], kind: str, count: int) -> Floats:
    """Of all candidates; only their order and differences mean anything."""
    total = np.zeros(count)
    for name, weight in weights(kind).items() if count else ():
        total += weight * signals[name].values
    return total


def reasons(signals: Mapping[str, Signal], kind: str, candidate: int) -> tuple[str, ...]:
    """In words, the weightiest first."""
    parts = {name: weight * signals[name].values[candidate] for name, weight in weights(kind).items()}
    whole = sum(part for part in parts.values() if part > 0)
    said: dict[str, None] = {}
    for name in sorted(parts, key=lambda name: (-parts[name], name)):
        reason = signals[name].reason(candidate)
        if reason and parts[name] > LEAST_REASON * whole:
            said.setdefault(reason)
    return tuple(said)[:MOST_REASONS]
