"""What the run folders of a batch say was spent: journals are the source of truth for money, also of killed drivers."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from agent.ledger import Ledger
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import read

BROKEN = ".broken-"
_ASIDE = re.compile(rf"{re.escape(BROKEN)}\d+$")


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is to be gone on with: dollars that it has come to (null: unknown), and may come to in all."""

    spent: float | None = 0.0
    budget: float | None = None
    ended: bool = False

    def wanted(self, budget: float) -> float:
        """What it may still spend, where a new run gets `budget`."""
        if self.ended:
            return 0.0
        return max(0.0, (budget if self.budget is None else self.budget) - (self.spent or 0.0))


@dataclass(slots=True)
class Account:
    """What lies in `runs/` beside what is done."""

    begun: dict[str, Begun] = field(default_factory=dict)
    broken: int = 0
    """Folders that were moved aside: each counts as a whole lease."""


def account(runs: Path, done: Container[str]) -> Account:
    """Read the unfinished runs. One whose journal is damaged is moved aside."""
    found = Account()
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if _ASIDE.search(folder.name):
            found.broken += 1
        elif folder.name not in done and folder.is_dir():
            try:
                begun = begun_in(folder)
            except RunBroken:
                set_aside(folder)
                found.broken += 1
            else:
                if begun is not None:
                    found.begun[folder.name] = begun
    return found


def begun_in(directory: Path) -> Begun | None:
    """The run in this folder; None where its first records are not whole. Raises RunBroken."""
    try:
        trajectory = read(directory)
    except UsageError:
        return None
    if trajectory.run is None or not trajectory.turns:
        return None
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    return Begun(ledger.spent.dollars, trajectory.run.settings.get("budget"), trajectory.exit is not None)


def spent_in(directory: Path, unreadable: float | None) -> float | None:
    """Dollars of the run in this folder, by its journal; `unreadable` for one that cannot be read."""
    try:
        begun = begun_in(directory)
    except (RunBroken, OSError):
        return unreadable
    return begun.spent if begun else 0.0


def set_aside(directory: Path) -> Path:
    """Move the folder of a run that cannot be read out of the way, to `<run>.broken-N`; nothing of it is lost."""
    number = 1
    while (aside := directory.with_name(f"{directory.name}{BROKEN}{number}")).exists():
        number += 1
    return directory.rename(aside)
