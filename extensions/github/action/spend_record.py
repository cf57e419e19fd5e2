"""The spending on an issue, as a hidden first line of the Action's status comment.

It is one line of JSON in an HTML comment. Only this line is read, so text below cannot add to it. Nothing in it can end
the HTML comment, so none of it is shown.
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
"""The prefix of a status comment."""
END = " -->"
MOST = 50
"""Maximum number of charges that are kept individually; older ones are summed up for each pull request."""

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Charge:
    """The reserved amount of one workflow run (`held`) and what it spent (None until it is settled).

    `run` is the workflow run's number, `at` the time of the reservation (ISO 8601, UTC), `pull` the number of the pull
    request that it opened or works on. If `journal` is true, the run left a journal that a later run can continue.

    `pushed` is the commit that it pushed, "" for none. `ci` is 1 if the run started because CI failed; a charge that
    sums up older ones has their number. `asked` says that questions about the issue are open after the run: it ended
    with them, or it failed with their answer.
    """

    run: Annotated[str, Field(pattern=r"^\d{0,20}$")]
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    held: Dollars
    spent: Dollars | None = None
    pull: Annotated[int, Field(ge=0)] = 0
    journal: bool = False
    pushed: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}(?:[0-9a-f]{24})?)?$")] = ""
    ci: Annotated[int, Field(ge=0)] = 0
    asked: bool = False

    @property
    def dollars(self) -> float:
        return self.held if self.spent is None else self.spent


_CHARGES: TypeAdapter[tuple[Charge, ...]] = TypeAdapter(tuple[Charge, ...])
_NAMES = ("run", "at", "held", "spent", "pull", "journal", "pushed", "ci", "asked")
EARLIER_SIZES = (6, 8)
"""Numbers of fields in records of earlier versions, which lack the last ones."""


def spent(charges: Iterable[Charge], day: str = "") -> float:
    """Return the total in dollars of all charges, or of the charges of one day (`2026-01-31`). An unsettled charge
    counts with its full reservation."""
    return sum(one.dollars for one in charges if one.at.startswith(day))


def line(charges: Sequence[Charge]) -> str:
    """Return the hidden line, without a line ending."""
    data = json.dumps([astuple(one) for one in _folded(charges)])
    return f"{MARK}{data}{END}"


def read(body: str, where: str) -> tuple[Charge, ...]:
    """Return the charges in a comment's text; none if it is not a status comment.

    Raises UsageError if the line was altered and cannot be read; `where` is the comment's URL.
    """
    if not body.startswith(MARK):
        return ()
    first = body.splitlines()[0].rstrip()
    try:
        rows: Any = json.loads(first[len(MARK) :].removesuffix(END))
        sizes = (*EARLIER_SIZES, len(_NAMES))
        if not first.endswith(END) or not all(isinstance(row, list) and len(row) in sizes for row in rows):
            raise ValueError
        return _CHARGES.validate_python([dict(zip(_NAMES, row, strict=False)) for row in rows])
    except (ValueError, TypeError, RecursionError, ValidationError):
        raise UsageError(f"The spending record in {where} cannot be read.", "Delete that comment.") from None


def _folded(charges: Sequence[Charge]) -> list[Charge]:
    """Return all charges, with the oldest ones of each pull request merged into one charge that has the date of the
    latest of them.

    So the current day never counts less than was spent on it, and no pull request is lost.
    """
    by_time = sorted(charges, key=lambda one: one.at)
    old, new = by_time[:-MOST], by_time[-MOST:]
    sums: dict[int, list[Charge]] = {}
    for one in old:
        sums.setdefault(one.pull, []).append(one)
    folded = [
        replace(
            pull_charges[-1],
            run="",
            held=0.0,
            spent=spent(pull_charges),
            journal=False,
            ci=sum(one.ci for one in pull_charges),
            asked=any(one.asked for one in pull_charges),
        )
        for pull_charges in sums.values()
    ]
    return [*folded, *new]
