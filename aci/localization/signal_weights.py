"""Weights of the signals: a candidate's score is their weighted sum, and the signals that contribute most are the
reasons.

`benchmarks/fit_localization.py` fits the weights and writes them to `weights.json`. The weights of signals that need a
run of the issue's example are set by hand, since few of the issues used for fitting have an example that runs.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from functools import cache
from importlib.resources import files

import numpy as np

from aci.localization.signals import Floats, Signal

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
