"""The weights that make originals likeliest among all candidates: a conditional logit, fitted by iterative scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.repair.candidates.template_weights import FAILURES, KINDS, Template, Weights, fitted_weights
from benchmarks._template_streams import Case

Floats = NDArray[np.float64]
ROUNDS = 40
HALVES = (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0, 90.0, 140.0, 200.0)
POWERS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5)
PLACES = ("seen", "unseen", "outside")
FIRST = (1.0, 0.3, 0.2)
OF_PLACE = 5.0
"""What PLACES are worth before anything is known, and how many repairs' worth of belief that is."""
ALONE, OF_KIND, OF_FAILURE = 3.0, 4.0, 8.0
"""So many repairs' worth of belief that a template is like the others, that a kind or a failure makes no difference."""
OF_HALF = 2.0
"""The same of `half` being what all templates have together."""
OF_POWER = 20.0
"""How strongly the power of suspicion is drawn to 1: real bugs are found less well than mutants."""


class Model:
    """Of all cases the streams as arrays, and the parameters. Of the templates by `names` that no case has a stream of,
    nothing is known but what they are like together."""

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
        self.of_place = np.array(FIRST)
        self.weight = np.full(len(self.names), 1.0)
        self.half = np.full(len(self.names), 8.0)
        self.of_kind = np.ones((len(self.names), len(kinds)))
        self.of_failure = np.ones((len(self.names), len(failures)))

    def fit(self, tell: Callable[[str], Any]) -> Weights:
        for number in range(ROUNDS):
            self._scale()
            if number in (4, 9, 16, 26):
                self._reach()
            if number % 10 == 9:
                tell(f"  round {number + 1}: mean log likelihood {self.likelihood() / len(self.cases):.3f}")
        return self._weights()

    def likelihood(self) -> float:
        """The logarithm of the probability of all originals."""
        return float(np.log(self._found()).sum() - np.log(self._all()).sum())

    # -- the model

    def _base(self) -> Floats:
        """What each stream is worth but for its drafts' places."""
        of = self.weight[self.template] * self.of_kind[self.template, self.kind]
        of = of * self.of_failure[self.template, self.failure] * self.of_place[self.place]
        return np.asarray(of * np.exp(self.power * self.suspicion))

    def _mass(self) -> Floats:
        """The share of a template's likelihood that the drafts of each stream hold."""
        return np.asarray(self.drafts / (self.half[self.template] + self.drafts))

    def _all(self) -> Floats:
        return np.asarray(np.bincount(self.case, self.times * self._base() * self._mass(), len(self.cases)), float)

    def _hits(self) -> Floats:
        half = self.half[self.template[self.hit_stream]]
        nth = half / ((half + self.hit_place) * (half + self.hit_place + 1))
        return np.asarray(self._base()[self.hit_stream] * nth * self.hit_weight)

    def _found(self) -> Floats:
        return np.asarray(np.bincount(self.hit_case, self._hits(), len(self.cases)), float)

    # -- its parameters

    def _scale(self) -> None:
        """One round: each parameter times what was found with it by what was to be expected."""
        for group in ("template", "kind", "failure", "place"):
            hits = self._hits()
            got = hits / self._found()[self.hit_case]
            expected = self.times * self._base() * self._mass() / self._all()[self.case]
            if group == "template":
                size = len(self.names)
                have = np.bincount(self.template[self.hit_stream], got, size)
                want = np.bincount(self.template, expected, size)
                middle = float(np.exp(np.log(self.weight).mean()))
                self.weight = (have + ALONE) / (want / self.weight + ALONE / middle)
                self.weight = self.weight / self.weight.max()
            elif group == "place":
                have = np.bincount(self.place[self.hit_stream], got, 3)
                want = np.bincount(self.place, expected, 3)
                self.of_place = (have + OF_PLACE) / (want / self.of_place + OF_PLACE / np.array(FIRST))
                self.of_place = self.of_place / self.of_place[0]
            else:
                factors = self.of_kind if group == "kind" else self.of_failure
                second = self.kind if group == "kind" else self.failure
                cells = self.template * factors.shape[1] + second
                have = np.bincount(cells[self.hit_stream], got, factors.size).reshape(factors.shape)
                want = np.bincount(cells, expected, factors.size).reshape(factors.shape)
                belief = OF_KIND if group == "kind" else OF_FAILURE
                factors[:] = (have + belief) / (want / factors + belief)
                self.of_failure[:, -1] = 1.0

    def _reach(self) -> None:
        """The power of suspicion and how far each template reaches, by trying some."""
        scored = []
        for self.power in POWERS:
            belief = -OF_POWER * float(np.log(self.power)) ** 2
            scored.append((self.likelihood() + belief, self.power))
        self.power = max(scored)[1]
        got = self._hits() / self._found()[self.hit_case]
        middle = float(np.exp(np.average(np.log1p(self.hit_place), weights=got)))
        for number in range(len(self.names)):
            self._reach_of(number, middle)

    def _reach_of(self, number: int, middle: float) -> None:
        """`half` of one template, drawn to what makes the middle place likeliest."""
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
            belief = OF_HALF * float(np.log(half / ((half + middle) * (half + middle + 1))))
            scored.append((float(np.log(np.maximum(hit, 1e-300)).sum() - np.log(total).sum()) + belief, half))
        self.half[number] = max(scored)[1]

    def _weights(self) -> Weights:
        kinds = (*KINDS, "Other")
        seen = [np.unique(self.kind[self.template == number]) for number in range(len(self.names))]
        templates = {
            name: Template(
                float(f"{self.weight[number]:.2g}"),
                float(self.half[number]),
                _told(kinds, self.of_kind[number], set(seen[number].tolist())),
                _told(FAILURES, self.of_failure[number], set(range(len(FAILURES)))),
            )
            for number, name in enumerate(self.names)
        }
        share = [float(f"{value ** (1 / self.power):.2g}") for value in self.of_place]
        return Weights(
            self.power, share[1], share[2], fitted_weights().pair, templates
        )  # mutants say nothing of two edits


def _told(names: Sequence[str], factors: Floats, known: set[int]) -> dict[str, float]:
    """Factors that make a difference."""
    return {
        name: float(f"{factors[at]:.2g}")
        for at, name in enumerate(names)
        if at in known and not 0.87 < factors[at] < 1.15
    }
