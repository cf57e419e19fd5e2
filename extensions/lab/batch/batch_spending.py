"""A batch's spending according to its journals, which are the source of truth for money even after a driver was
killed."""

from __future__ import annotations

from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.limits.run_budget import Ledger
from extensions.lab.instances.append_log import write_error
from trajectories.errors import NewerRun, RunBroken, UsageError, WorkspaceError
from trajectories.journal import read

BROKEN = "broken"
"""The folder next to `runs/` for runs with a damaged record."""


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A run to resume: the dollars that it has spent (None if unknown), and its whole budget."""

    spent: float | None = 0.0
    budget: float | None = None
    ended: bool = False

    def wanted(self, budget: float) -> float:
        """Return the dollars that the run may still spend; `budget` is the budget of a new run."""
        if self.ended:
            return 0.0
        return max(0.0, (budget if self.budget is None else self.budget) - (self.spent or 0.0))


@dataclass(slots=True)
class UnfinishedRuns:
    """The unfinished runs in `runs/`, and the number of damaged ones in `broken/`."""

    begun: dict[str, UnfinishedRun] = field(default_factory=dict)
    broken: int = 0
    """The number of folders that were moved aside; for each, a whole budget counts as spent."""


def read_unfinished_runs(runs: Path, done: Container[str]) -> UnfinishedRuns:
    """Read the unfinished runs, and move those with a damaged journal aside.

    Raises WorkspaceError if that fails, or if a journal cannot be read.
    """
    found = UnfinishedRuns()
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if folder.name not in done and folder.is_dir():
            try:
                begun = unfinished_run(folder)
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


def unfinished_run(directory: Path) -> UnfinishedRun | None:
    """Return the run in this folder; None if its first records are incomplete.

    Raises RunBroken or NewerRun for a record that cannot be used, and WorkspaceError if it cannot be read now.
    """
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
    return UnfinishedRun(ledger.spent.dollars, trajectory.run.settings.get("budget"), trajectory.exit is not None)


def dollars_spent(directory: Path, unreadable: float | None) -> float | None:
    """Return the dollars that the run in this folder spent, according to its journal.

    Return `unreadable` for a damaged journal, None if this machine cannot read it now.
    """
    try:
        begun = unfinished_run(directory)
    except RunBroken:
        return unreadable
    except WorkspaceError:
        return None
    return begun.spent if begun else 0.0


def set_aside(directory: Path) -> Path:
    """Move the folder of an unreadable run to `broken/<run>.N`, so that nothing is lost. Raises WorkspaceError."""
    folder, number = directory.parent.with_name(BROKEN), 1
    while (aside := folder / f"{directory.name}.{number}").exists():
        number += 1
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            directory.rename(aside)
    except OSError as error:
        raise write_error(aside, error) from error
    return aside
