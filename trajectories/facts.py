"""Facts: what a proof or a review found out beside its other fields, as typed values with their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

FactKind = Literal[
    "limit",
    "doubt",
    "suite",
    "partial",
    "extent",
    "pages",
    "untested",
    "new_failures",
    "reproduction",
    "environment",
    "behaviour",
    "tests",
    "callers",
    "mirror",
    "covered",
    "independent",
    "challenge",
    "unneeded",
    "companion",
    "slow_function",
]
ENVIRONMENT = "environment"
"""Kind of the journal's notes on the run's environment, which become facts of its verdict."""
INSTALLED = "installed"
"""Key in the data of such a note: whether it is about an installed copy of the package."""
FactValue = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that limits or explains a verdict or a review. Readers select facts by `kind` and `data`, never by `text`.

    `limit`: what the proof does not show, or any other remark. `doubt`: a reason against the patch or its results
    (`is_missing_part`: an extension is not installed, which no patch can change).
    `suite`: the results of the suite (`with_patch`, `failed`, `passed`, `whole`). `partial`: only a part of the suite
    could be compared. `extent`: how the tests ran. `pages`: pages were compared. `untested`: no test ran without the
    patch. `new_failures`: `tests` that fail with the patch, and that did not exist or were skipped without it.
    `reproduction`: where the reproduction tests come from. `environment`: a copy of the package outside the
    repository. `behaviour`: for which inputs the patch changes the behaviour. `tests`: changes to tests or their
    configuration that were left out, or removed tests. `callers`: calls outside the patch that may break (`path` and
    `line` of the changed function). `mirror`: an unchanged function (`name`, `path`, `line`) that
    probably needs the same change. `covered`: what another field of the verdict says too (the line of a check of the
    repository, `check`, with what it `found`). `independent`: what tests say that somebody wrote without the patch
    (`word`: agrees, disputed or undecided). `challenge`: which tests of a challenger fail with the patch, by what the
    examiner decides (`required`, `minor`, `withdrawn`). In the review of a patch, `unneeded`: hunks that no test needs
    (`places`, such as `a.py:3`), and `companion`: a kind of file that earlier changes came with (`is_test`). Of
    `optimize`, `slow_function`: the growth and the slow lines of a `function` that was not made faster (exponent
    `growth`, and of each line its number, its share of the time and the cause).
    """

    kind: FactKind
    text: str
    data: dict[str, FactValue] = field(default_factory=dict)


def missing_part(text: str) -> Fact:
    """Return the doubt that an extension is not installed, without which a patch cannot be judged."""
    return Fact("doubt", text, {"is_missing_part": True})


def unique_facts(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts in order, without those whose words an earlier fact has."""
    found: dict[str, Fact] = {}
    for fact in facts:
        found.setdefault(fact.text, fact)
    return tuple(found.values())
