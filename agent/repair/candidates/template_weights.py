"""How likely a template is to hold the repair, by the kind of statement and of failure: fitted on mutated code.

`weights.json` is written by `python -m benchmarks.fit_templates`. A candidate's likelihood is taken as the product of
P(place), P(template | kind of statement, kind of failure) and P(nth draft | template); Prophet (Long and Rinard, POPL
2016) learns such an order from people's patches, we learn it from mutants that are mended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

FILE = Path(__file__).with_suffix(".json")
KINDS = ("If", "While", "For", "Return", "Assign", "AugAssign", "Expr", "Raise", "Try", "FunctionDef")
"""Kinds of statements that have weights of their own; the rest is `Other`."""
FAILURES = ("value", "raise", "hang")
"""How failing tests fail: by a wrong value, by an exception from the repository's code, by not coming to an end."""
UNRAISED = {"refuse": 20.0, "refused": 5.0, "deliver": 5.0}
"""By how much these templates are likelier where tests wait for an exception in vain; not fitted, as mutants that
do so are few."""


@dataclass(frozen=True, slots=True)
class Template:
    """`weight` is how often a template holds the repair beside the others, before the factors of kinds and failures;
    `half` is the number of drafts among which half of its repairs are found."""

    weight: float
    half: float
    kinds: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: str, failure: str) -> float:
        return self.weight * self.kinds.get(kind, 1.0) * self.failures.get(failure, 1.0)

    def nth(self, place: float) -> float:
        """The likelihood of the draft at this place (from 0): all together 1, falling with the square of the place.

        A draft of a weight below 1 counts as that much of a place.
        """
        return self.half / ((self.half + place) * (self.half + place + 1))


@dataclass(frozen=True, slots=True)
class Weights:
    """`place` is the power to which suspicion is taken; `unseen` the suspicion of a statement that no failing test
    reached, as a share of its function's highest; `outside` the same of a definition or constant outside the body;
    `pair` what several edits are worth beside the product of each (not fitted: mutants have one)."""

    place: float
    unseen: float
    outside: float
    pair: float
    templates: Mapping[str, Template]

    def template(self, name: str) -> Template:
        """Its weights; those of a template that was not there when they were fitted are middling."""
        return self.templates.get(name) or Template(
            median([one.weight for one in self.templates.values()] or [1.0]),
            median([one.half for one in self.templates.values()] or [8.0]),
        )


def kind_of(statement: object) -> str:
    name = type(statement).__name__.removeprefix("Async")
    return name if name in KINDS else "Other"


@cache
def fitted() -> Weights:
    return read(FILE.read_text("utf-8"))


def read(text: str) -> Weights:
    value: dict[str, Any] = json.loads(text)
    templates = {name: Template(**one) for name, one in value.pop("templates").items()}
    return Weights(**value, templates=templates)


def written(weights: Weights) -> str:
    """One line for each template, so that a new fit is easy to compare with the last."""
    lines = [f'  "{name}": {getattr(weights, name)},\n' for name in ("place", "unseen", "outside", "pair")]
    rows = []
    for name, one in sorted(weights.templates.items(), key=lambda item: (-item[1].weight, item[0])):
        value = {"weight": one.weight, "half": one.half, "kinds": dict(one.kinds), "failures": dict(one.failures)}
        rows.append(f"    {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + "".join(lines) + '  "templates": {\n' + ",\n".join(rows) + "\n  }\n}\n"
