"""Weights that maximise the likelihood of the originals: a conditional logit, fitted by iterative scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._template_streams import Case
from extensions.repair.candidates.template_weights import FAILURES, KINDS, Template, Weights, fitted_weights

Floats = NDArray[np.float64]
ROUNDS = 40
HALVES = (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0, 90.0, 140.0, 200.0)
POWERS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5)
PLACES = ("seen", "unseen", "outside")
PLACE_PRIOR = (1.0, 0.3, 0.2)
PLACE_STRENGTH = 5.0
"""Prior weights of PLACES, and the strength of this prior in repairs."""
TEMPLATE_STRENGTH, KIND_STRENGTH, FAILURE_STRENGTH = 3.0, 4.0, 8.0
"""Strengths, in repairs, of the priors that templates are alike, and that kinds and failures make no difference."""
HALF_STRENGTH = 2.0
"""Strength of the prior that `half` of a template is that of all templates."""
POWER_STRENGTH = 20.0
"""Strength of the prior that the power of suspicion is 1: real bugs are localized less well than mutants."""


class Model:
    """The streams of all cases as arrays, and the parameters.

    Templates in `names` without a stream in any case have the parameters of the prior.
    """

    def __init__(self, cases: Sequence[Case], names: Iterable[str] = ()) -> None:
        self.cases = [one for one in cases if one.reached]
        streams = [(number, one) for number, case in enumerate(self.cases) for one in case.streams]
        self.names = sorted({*names, *(one.template for _, one in streams)})
        index = {name: number for number, name in enumerate(self.names)}
        kinds = (*KINDS, "Other")
        self.case = np.array([number for number, _ in streams])
        self.template = np.array([index[one.template] for _, one in streams])
        self.kind = np.array([kinds.index(one.kind) for _, one in streams])
        failures = (*FAILURES, "")
        self.failure = np.array([failures.index(self.cases[number].failure) for number, _ in streams])
        self.place = np.array([PLACES.index(one.place) for _, one in streams])
        self.suspicion = np.log(np.array([max(1e-6, one.suspicion) for _, one in streams]))
        self.drafts = np.array([one.drafts for _, one in streams])
        self.times = np.array([one.times for _, one in streams])
        hits = [(at, hit) for at, (_, one) in enumerate(streams) for hit in one.hits]
        self.hit_stream = np.array([at for at, _ in hits])
        self.hit_place = np.array([place for _, (place, _) in hits])
        self.hit_weight = np.array([weight for _, (_, weight) in hits])
        self.hit_case = self.case[self.hit_stream]
        self.power = 1.0
        self.of_place = np.array(PLACE_PRIOR)
        self.weight = np.full(len(self.names), 1.0)
        self.half = np.full(len(self.names), 8.0)
        self.of_kind = np.ones((len(self.names), len(kinds)))
        self.of_failure = np.ones((len(self.names), len(failures)))

    def fit(self, report: Callable[[str], Any]) -> Weights:
        for number in range(ROUNDS):
            self._scale()
            if number in (4, 9, 16, 26):
                self._choose_power_and_halves()
            if number % 10 == 9:
                report(f"  round {number + 1}: mean log likelihood {self.likelihood() / len(self.cases):.3f}")
        return self._weights()

    def likelihood(self) -> float:
        """Return the log-likelihood of all originals."""
        return float(np.log(self._found()).sum() - np.log(self._all()).sum())

    # The model

    def _base(self) -> Floats:
        """Return the weight of each stream, without the positions of its drafts."""
        weight = self.weight[self.template] * self.of_kind[self.template, self.kind]
        weight = weight * self.of_failure[self.template, self.failure] * self.of_place[self.place]
        return np.asarray(weight * np.exp(self.power * self.suspicion))

    def _mass(self) -> Floats:
        """Return the share of a template's likelihood in the drafts of each stream."""
        return np.asarray(self.drafts / (self.half[self.template] + self.drafts))

    def _all(self) -> Floats:
        return np.asarray(np.bincount(self.case, self.times * self._base() * self._mass(), len(self.cases)), float)

    def _hits(self) -> Floats:
        half = self.half[self.template[self.hit_stream]]
        nth = half / ((half + self.hit_place) * (half + self.hit_place + 1))
        return np.asarray(self._base()[self.hit_stream] * nth * self.hit_weight)

    def _found(self) -> Floats:
        return np.asarray(np.bincount(self.hit_case, self._hits(), len(self.cases)), float)

    # Its parameters

    def _scale(self) -> None:
        """Run one round of scaling: multiply each parameter by the ratio of observed to expected repairs."""
        for group in ("template", "kind", "failure", "place"):
            hits = self._hits()
            observed = hits / self._found()[self.hit_case]
            expected = self.times * self._base() * self._mass() / self._all()[self.case]
            if group == "template":
                size = len(self.names)
                found = np.bincount(self.template[self.hit_stream], observed, size)
                predicted = np.bincount(self.template, expected, size)
                middle = float(np.exp(np.log(self.weight).mean()))
                self.weight = (found + TEMPLATE_STRENGTH) / (predicted / self.weight + TEMPLATE_STRENGTH / middle)
                self.weight = self.weight / self.weight.max()
            elif group == "place":
                found = np.bincount(self.place[self.hit_stream], observed, 3)
                predicted = np.bincount(self.place, expected, 3)
                expected_places = predicted / self.of_place + PLACE_STRENGTH / np.array(PLACE_PRIOR)
                self.of_place = (found + PLACE_STRENGTH) / expected_places
                self.of_place = self.of_place / self.of_place[0]
            else:
                factors = self.of_kind if group == "kind" else self.of_failure
                second = self.kind if group == "kind" else self.failure
                cells = self.template * factors.shape[1] + second
                found = np.bincount(cells[self.hit_stream], observed, factors.size).reshape(factors.shape)
                predicted = np.bincount(cells, expected, factors.size).reshape(factors.shape)
                prior = KIND_STRENGTH if group == "kind" else FAILURE_STRENGTH
                factors[:] = (found + prior) / (predicted / factors + prior)
                self.of_failure[:, -1] = 1.0

    def _choose_power_and_halves(self) -> None:
        """Choose the power of suspicion and `half` of each template from lists of values."""
        scored = []
        for self.power in POWERS:
            prior = -POWER_STRENGTH * float(np.log(self.power)) ** 2
            scored.append((self.likelihood() + prior, self.power))
        self.power = max(scored)[1]
        observed = self._hits() / self._found()[self.hit_case]
        middle = float(np.exp(np.average(np.log1p(self.hit_place), weights=observed)))
        for number in range(len(self.names)):
            self._choose_half(number, middle)

    def _choose_half(self, number: int, middle: float) -> None:
        """Choose `half` of one template, with a prior at the value that makes the mean position most likely."""
        rows = np.flatnonzero(self.template == number)
        hits = np.flatnonzero(self.template[self.hit_stream] == number)
        worth, size = (self.times * self._base())[rows], len(self.cases)
        held = np.bincount(self.case[rows], worth * self._mass()[rows], size)
        found = np.bincount(self.hit_case[hits], self._hits()[hits], size)
        other, others_found = np.maximum(self._all() - held, 1e-300), np.maximum(self._found() - found, 0.0)
        one, place = self._base()[self.hit_stream[hits]] * self.hit_weight[hits], self.hit_place[hits]
        scored = []
        for half in HALVES:
            nth = half / ((half + place) * (half + place + 1))
            total = other + np.bincount(self.case[rows], worth * self.drafts[rows] / (half + self.drafts[rows]), size)
            hit = others_found + np.bincount(self.hit_case[hits], one * nth, size)
            prior = HALF_STRENGTH * float(np.log(half / ((half + middle) * (half + middle + 1))))
            scored.append((float(np.log(np.maximum(hit, 1e-300)).sum() - np.log(total).sum()) + prior, half))
        self.half[number] = max(scored)[1]

    def _weights(self) -> Weights:
        kinds = (*KINDS, "Other")
        fitted_kinds = [np.unique(self.kind[self.template == number]) for number in range(len(self.names))]
        templates = {
            name: Template(
                float(f"{self.weight[number]:.2g}"),
                float(self.half[number]),
                _significant(kinds, self.of_kind[number], set(fitted_kinds[number].tolist())),
                _significant(FAILURES, self.of_failure[number], set(range(len(FAILURES)))),
            )
            for number, name in enumerate(self.names)
        }
        share = [float(f"{value ** (1 / self.power):.2g}") for value in self.of_place]
        pair = fitted_weights().pair  # not fitted here: mutants have one edit
        return Weights(self.power, share[1], share[2], pair, templates)


def _significant(names: Sequence[str], factors: Floats, known: set[int]) -> dict[str, float]:
    """Return the factors that differ notably from 1."""
    return {
        name: float(f"{factors[at]:.2g}")
        for at, name in enumerate(names)
        if at in known and not 0.87 < factors[at] < 1.15
    }
