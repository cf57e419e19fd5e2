"""What was spent on an issue, as a hidden line at the beginning of our own comment there.

One line of JSON in an HTML comment. Nothing but this line is read, so that no text below it can add to it; nothing in
it can end the comment, so that none of it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from trajectories.errors import UsageError

MARK = "<!-- swe-agent ledger: "
"""What a comment of ours begins with."""
END = " -->"
MOST = 50
"""Charges that are kept one by one; older ones are one sum for each pull request."""

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one run of the workflow may spend, and what it spent (None: not settled yet, or it never will be).

    `run` is the workflow run's number, `at` when it was held (ISO 8601, UTC), `pull` the number of the pull request
    that came of it or that it works on. `journal`: the run left one that a later one can go on from.
    """

    run: Annotated[str, Field(pattern=r"^\d{0,20}$")]
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    held: Dollars
    spent: Dollars | None = None
    pull: Annotated[int, Field(ge=0)] = 0
    journal: bool = False

    @property
    def dollars(self) -> float:
        return self.held if self.spent is None else self.spent


_CHARGES: TypeAdapter[tuple[Charge, ...]] = TypeAdapter(tuple[Charge, ...])
_NAMES = ("run", "at", "held", "spent", "pull", "journal")


def spent(charges: Iterable[Charge], day: str = "") -> float:
    """Dollars of all charges, or of those of one day (`2026-01-31`). What is not settled counts whole."""
    return sum(one.dollars for one in charges if one.at.startswith(day))


def line(charges: Sequence[Charge]) -> str:
    """The hidden line, without an end of line."""
    data = json.dumps([astuple(one) for one in _folded(charges)])
    return f"{MARK}{data}{END}"


def read(body: str, where: str) -> tuple[Charge, ...]:
    """The charges in a comment's text; none where it does not begin as ours. Raises UsageError where the line was
    changed so that what was spent is not known; `where` is the comment's address."""
    if not body.startswith(MARK):
        return ()
    first = body.splitlines()[0].rstrip()
    try:
        rows: Any = json.loads(first[len(MARK) :].removesuffix(END))
        if not first.endswith(END) or not all(isinstance(row, list) and len(row) == len(_NAMES) for row in rows):
            raise ValueError
        return _CHARGES.validate_python([dict(zip(_NAMES, row, strict=True)) for row in rows])
    except (ValueError, TypeError, RecursionError, ValidationError):
        raise UsageError(f"What was spent cannot be read in {where}.", "Delete that comment.") from None


def _folded(charges: Sequence[Charge]) -> list[Charge]:
    """All of them, the oldest as one for each pull request that is dated as its latest, so that no day counts less than
    was spent on it, and no pull request is lost, which has charges of its own."""
    kept = sorted(charges, key=lambda one: one.at)
    old, new = kept[:-MOST], kept[-MOST:]
    sums: dict[int, list[Charge]] = {}
    for one in old:
        sums.setdefault(one.pull, []).append(one)
    folded = [replace(of[-1], run="", held=0.0, spent=spent(of), journal=False) for of in sums.values()]
    return [*folded, *new]
