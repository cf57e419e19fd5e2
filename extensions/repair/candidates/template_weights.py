"""Likelihoods of templates, by the kind of statement and of failure, fitted on mutated code.

`python -m benchmarks.fit_templates` writes `weights.json`. A candidate's likelihood is the product of P(place),
P(template | kind of statement, kind of failure) and P(nth draft | template). Prophet (Long and Rinard, POPL 2016)
learns such an order from human patches; here, it is learnt from mutants and their repairs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

FILE = Path(__file__).with_name("weights.json")
KINDS = ("If", "While", "For", "Return", "Assign", "AugAssign", "Expr", "Raise", "Try", "FunctionDef")
"""Kinds of statements that have their own weights; all other kinds are `Other`."""
FAILURES = ("value", "raise", "hang")
"""How failing tests fail: with a wrong value, with an exception from the repository's code, or by not terminating."""
UNRAISED = {"refuse": 20.0, "refused": 5.0, "deliver": 5.0}
"""Factors for these templates if tests expect an exception that is not raised. They are not fitted, since few mutants
fail that way."""


@dataclass(frozen=True, slots=True)
class Template:
    """The weights of a template.

    `weight` is the relative frequency with which the template produces the repair, before the factors for kinds and
    failures are applied. `half` is the number of drafts within which half of the template's repairs are found.
    """

    weight: float
    half: float
    kinds: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: str, failure: str) -> float:
        return self.weight * self.kinds.get(kind, 1.0) * self.failures.get(failure, 1.0)

    def nth(self, place: float) -> float:
        """Return the likelihood of the draft at this position, counted from 0; it falls with the square of the
        position, and all likelihoods sum to 1.

        A draft with a weight below 1 takes up only that fraction of a position.
        """
        return self.half / ((self.half + place) * (self.half + place + 1))


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights that determine the order of candidates.

    `place` is the exponent that is applied to a statement's suspicion. `unseen` is the suspicion of a statement that no
    failing test reached, as a fraction of the highest suspicion in its function; `outside` is the same for a function's
    definition and for constants. `pair` is the factor for candidates with several edits; it is not fitted, since each
    mutant has only one edit.
    """

    place: float
    unseen: float
    outside: float
    pair: float
    templates: Mapping[str, Template]

    def template(self, name: str) -> Template:
        """Return the weights of a template. A template that was not fitted gets the median weights of all templates."""
        return self.templates.get(name) or Template(
            median([one.weight for one in self.templates.values()] or [1.0]),
            median([one.half for one in self.templates.values()] or [8.0]),
        )


def kind_of(statement: object) -> str:
    name = type(statement).__name__.removeprefix("Async")
    return name if name in KINDS else "Other"


@cache
def fitted_weights() -> Weights:
    return parse_weights(FILE.read_text("utf-8"))


def parse_weights(text: str) -> Weights:
    value: dict[str, Any] = json.loads(text)
    templates = {name: Template(**one) for name, one in value.pop("templates").items()}
    return Weights(**value, templates=templates)


def format_weights(weights: Weights) -> str:
    """Return the weights as JSON, one line for each template, so that a new fit is easy to compare with the last."""
    lines = [f'  "{name}": {getattr(weights, name)},\n' for name in ("place", "unseen", "outside", "pair")]
    rows = []
    for name, one in sorted(weights.templates.items(), key=lambda item: (-item[1].weight, item[0])):
        value = {"weight": one.weight, "half": one.half, "kinds": dict(one.kinds), "failures": dict(one.failures)}
        rows.append(f"    {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + "".join(lines) + '  "templates": {\n' + ",\n".join(rows) + "\n  }\n}\n"
