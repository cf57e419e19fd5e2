"""What the run folders of a batch say was spent: journals are the source of truth for money, also of killed drivers."""

from __future__ import annotations

from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.batch.appended import no_room
from agent.ledger import Ledger
from trajectories.errors import NewerRun, RunBroken, UsageError, WorkspaceError
from trajectories.journal import read

BROKEN = "broken"
"""The folder beside `runs/` in which those lie whose record is damaged."""


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
    """What lies in `runs/` beside what is done, and in `broken/`."""

    begun: dict[str, Begun] = field(default_factory=dict)
    broken: int = 0
    """Folders that were moved aside: each counts as a whole lease."""


def account(runs: Path, done: Container[str]) -> Account:
    """Read the unfinished runs. One whose journal is damaged is moved aside. Raises WorkspaceError where that cannot be
    done, or a journal cannot be read."""
    found = Account()
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if folder.name not in done and folder.is_dir():
            try:
                begun = begun_in(folder)
            except RunBroken:
                set_aside(folder)
            except WorkspaceError as error:
                raise WorkspaceError(error.message, f"{error.fix} Then start the batch again.") from error
            else:
                if begun is not None:
                    found.begun[folder.name] = begun
    aside = runs.with_name(BROKEN)
    found.broken = sum(1 for _ in aside.iterdir()) if aside.is_dir() else 0
    return found


def begun_in(directory: Path) -> Begun | None:
    """The run in this folder; None where its first records are not whole. Raises RunBroken, NewerRun, and
    WorkspaceError where it cannot be read now."""
    try:
        trajectory = read(directory)
    except NewerRun:
        raise
    except UsageError:
        return None
    if trajectory.run is None or not trajectory.turns:
        return None
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    return Begun(ledger.spent.dollars, trajectory.run.settings.get("budget"), trajectory.exit is not None)


def spent_in(directory: Path, unreadable: float | None) -> float | None:
    """Dollars of the run in this folder, by its journal; `unreadable` for one that is damaged, None where this machine
    cannot read it now."""
    try:
        begun = begun_in(directory)
    except RunBroken:
        return unreadable
    except WorkspaceError:
        return None
    return begun.spent if begun else 0.0


def set_aside(directory: Path) -> Path:
    """Move the folder of a run that cannot be read out of the way, to `broken/<run>.N`; nothing of it is lost. Raises
    WorkspaceError."""
    folder, number = directory.parent.with_name(BROKEN), 1
    while (aside := folder / f"{directory.name}.{number}").exists():
        number += 1
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            directory.rename(aside)
    except OSError as error:
        raise no_room(aside, error) from error
    return aside
