"""Removal of runs, and of unused data in the remaining runs.

A run in use is never removed, and a resumable run is removed only if it is named explicitly.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.run_state.run_ownership import forget, run_owner
from agent.runs.run_listing import DAMAGED, NEWER, RunSummary, list_runs, summarize_run
from extensions.housekeeping.run_cleanup import DiskUsage, merge_packs, needs_packing, removable_files, remove
from trajectories.errors import SweAgentError, TryLater, UsageError
from trajectories.journal import lock_run, records

REMOVAL_PREFIX = ".gone-"
"""Prefix of a folder that is being removed."""
NAME = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{6}")
"""Pattern of the name of a run's folder, which contains the creation time."""
YOUNG = 86_400.0
"""Age in seconds up to which a folder without a journal may belong to a run that is starting."""
OF_BEGINNING = frozenset({"lock", "out", "trees.git"})
"""Names that may exist in a run's folder before the first record is written."""
CRASHED = "left by a crash"
OF_BATCH = "results.jsonl"
"""A file that exists next to the folder of a batch's runs."""
BUSY = "another process is using it"


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """The action taken on a run, or planned for it: freed `bytes`, the reason `why`, and the run's `issue`."""

    run: str
    bytes: int = 0
    why: str = ""
    issue: str = ""


@dataclass(slots=True)
class GcResult:
    """The result of a garbage collection.

    `tidied` are the runs whose unused data was removed; `left` are the runs that could not be changed.
    """

    dry_run: bool = False
    removed: list[RemovalResult] = field(default_factory=list)
    tidied: list[RemovalResult] = field(default_factory=list)
    left: list[RemovalResult] = field(default_factory=list)
    kept: int = 0

    @property
    def bytes(self) -> int:
        return sum(result.bytes for result in (*self.removed, *self.tidied))

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """The runs to remove: the `named` runs, and ended runs that were last written before `before` and are not among the
    `keep` newest.

    Without `before` and `keep`, only the named runs are removed.
    """

    named: Sequence[Path] = ()
    before: float | None = None
    keep: int | None = None

    def why(self, folder: Path, line: RunSummary, number: int) -> str:
        """Return why run `number` of the list, newest first, is removed; "" if it is kept."""
        if folder in self.named:
            return "named"
        if (self.before is None and self.keep is None) or line.resumable or line.ended in (DAMAGED, NEWER):
            return ""
        last = (folder / "journal.jsonl").stat().st_mtime
        if self.before is not None and last >= self.before:
            return ""
        if self.keep is not None and number < self.keep:
            return ""
        return "ended" if line.state else "never begun"


def collect(
    runs: Path, going: RemovalPlan, dry_run: bool = False, tell: Callable[[str], object] = lambda _: None
) -> GcResult:
    """Remove the planned runs, and unused data of the others; with `dry_run`, only report what would be removed. Runs
    that cannot be changed are listed in `left`.

    `tell` is called with the name of each run. Raises UsageError for the runs of a batch.
    """
    if (runs.parent / OF_BATCH).exists():
        raise UsageError(f"{runs} contains the runs of a batch, which needs them.", "Remove the batch's whole folder.")
    found = GcResult(dry_run)
    weight = DiskUsage()
    for folder in _folders_with_prefix(REMOVAL_PREFIX, runs):
        with _record_failure(folder, found):
            _remove(folder, RemovalResult(folder.name, why=CRASHED), found, weight)
    for folder in _folders_with_prefix("", runs):
        with _record_failure(folder, found):
            if _is_unbegun(folder):
                with _lock_run(folder):
                    if _is_unbegun(folder):
                        _remove(folder, RemovalResult(folder.name, why=CRASHED), found, weight)
    before = len(found.removed)
    lines = list_runs(runs)
    for number, line in enumerate(lines):
        folder = runs / line.run
        tell(line.run)
        with _record_failure(folder, found), _lock_run(folder):
            _collect(folder, going, number, found, weight)
    found.kept = len(lines) - (len(found.removed) - before)
    return found


def _collect(folder: Path, going: RemovalPlan, number: int, found: GcResult, weight: DiskUsage) -> None:
    line = summarize_run(folder)  # read again under the lock
    if why := going.why(folder, line, number):
        _remove(folder, RemovalResult(line.run, why=why, issue=line.issue), found, weight)
    else:
        _tidy(folder, line, found, weight)


@contextmanager
def _record_failure(folder: Path, found: GcResult) -> Iterator[None]:
    """Record a run that could not be changed, with the reason."""
    try:
        yield
    except TryLater:
        found.left.append(RemovalResult(folder.name, why=BUSY))
    except (OSError, SweAgentError) as error:
        found.left.append(RemovalResult(folder.name, why=str(error)))


@contextmanager
def _lock_run(folder: Path) -> Iterator[None]:
    """Hold the lock of a run. Raises TryLater, OSError."""
    lock = lock_run(folder)
    try:
        yield
    finally:
        lock.release()


def _folders_with_prefix(name: str, runs: Path) -> list[Path]:
    return sorted(each for each in runs.iterdir() if each.name.startswith(name)) if runs.is_dir() else []


def _is_unbegun(folder: Path) -> bool:
    """Return whether a folder was created for a run more than a day ago and contains neither a journal nor other
    data."""
    if (name := NAME.fullmatch(folder.name)) is None or folder.is_symlink() or not folder.is_dir():
        return False
    try:
        made = time.mktime(time.strptime(name[1], "%Y%m%d-%H%M%S"))
    except (ValueError, OverflowError):
        return False
    kept = [path for part in ("out", "trees.git/objects") for path in (folder / part).rglob("*") if not path.is_dir()]
    return made < time.time() - YOUNG and not kept and {path.name for path in folder.iterdir()} <= OF_BEGINNING


def _remove(folder: Path, went: RemovalResult, found: GcResult, weight: DiskUsage) -> None:
    """Remove a run's folder, after renaming it so that no other process sees it half removed."""
    free = weight.of(folder)
    if not found.dry_run:
        if not folder.name.startswith(REMOVAL_PREFIX):
            forget(folder, folder.parent.parent)
            folder = folder.rename(folder.with_name(f"{REMOVAL_PREFIX}{folder.name}"))
        remove([folder])
    found.removed.append(replace(went, bytes=free))


def _tidy(folder: Path, line: RunSummary, found: GcResult, weight: DiskUsage) -> None:
    """Remove output files that no record of the run refers to, and pack the run's trees.

    Runs that are damaged, of a newer version, or not the user's own are not changed: in an untrusted folder, links may
    point to the user's files.
    """
    if line.ended in (DAMAGED, NEWER) or run_owner(folder, folder.parent.parent) != "user":
        return
    old = removable_files(folder, records(folder))
    free = weight.of(*old)
    why = [f"{len(old)} file{'s' * (len(old) != 1)} that no record names"] if old else []
    store = folder / "trees.git"
    scattered = not line.resumable and needs_packing(store)
    if scattered:
        why.append("its trees in one pack")
    if not found.dry_run:
        remove(old)
        if scattered:
            before = DiskUsage().of(store)
            merge_packs(store)
            free += before - DiskUsage().of(store)
    if why:
        found.tidied.append(RemovalResult(line.run, free, " and ".join(why), line.issue))
