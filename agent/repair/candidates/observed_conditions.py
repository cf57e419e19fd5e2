"""Conditions that are worth a try at a statement, by what they were on arrival there in the tests.

A condition that changes nothing in any failing test cannot mend it, and of those that are alike on every arrival one
is enough at first. Arrivals are observed up to a limit, so what seems useless is put last and not left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aci.probing import Truth
from agent.repair.spot import Spot

ALIKE, USELESS = 0.3, 0.05
"""How much less likely a condition is that was like an earlier one, or that changes nothing in a failing test."""


@dataclass(frozen=True, slots=True)
class Option:
    """A text to put in, and what was there and would be there instead on each arrival, where both are known."""

    text: str
    before: Truth | None = None
    after: Truth | None = None


def known(spot: Spot, texts: Iterable[str]) -> Mapping[str, Truth]:
    """What is known of conditions at a statement; empty where nothing was probed."""
    return spot.probe(list(dict.fromkeys(texts))) if spot.probe is not None else {}


def weighed(options: Iterable[Option]) -> Iterator[tuple[str, float]]:
    """Texts with how likely each is beside the others, those that tell something new first, else in their order."""
    seen: set[str] = set()
    later: list[tuple[str, float]] = []
    for option in options:
        if option.before is None or option.after is None:
            yield option.text, 1.0
        elif option.before.failing == option.after.failing:
            later.append((option.text, USELESS))
        elif option.after.digest in seen:
            later.append((option.text, ALIKE))
        else:
            seen.add(option.after.digest)
            yield option.text, 1.0
    yield from sorted(later, key=lambda one: -one[1])


def never(truth: Truth | None) -> Truth | None:
    """What `False` would be on the same arrivals."""
    return truth and Truth("0" * len(truth.failing), "0" * len(truth.passing))


def negated(truth: Truth | None) -> Truth | None:
    turn = str.maketrans("01", "10")
    return truth and Truth(truth.failing.translate(turn), truth.passing.translate(turn))


def with_or(left: Truth | None, right: Truth | None) -> Truth | None:
    """What `left or right` is on each arrival."""
    return _joined(left, right, "1")


def with_and(left: Truth | None, right: Truth | None) -> Truth | None:
    """What `left and right` is on each arrival."""
    return _joined(left, right, "0")


def _joined(left: Truth | None, right: Truth | None, decided: str) -> Truth | None:
    """The right side counts only where the left one has not decided or raised."""
    if left is None or right is None or len(left.failing) != len(right.failing):
        return None

    def join(one: str, other: str) -> str:
        return "".join(a if a in (decided, "!") else b for a, b in zip(one, other, strict=False))

    return Truth(join(left.failing, right.failing), join(left.passing, right.passing))
