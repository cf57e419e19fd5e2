"""Which runs go, and what of the others: never one that another process works on, nor one that can be gone on with
unless it is named."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.listing import DAMAGED, NEWER, Line, listed
from trajectories.errors import SweAgentError, TryLater, UsageError
from trajectories.journal import locked, records
from trajectories.tidying import Weight, is_scattered, pack, remove, unneeded

GONE = ".gone-"
"""How the name of a folder begins that is being removed."""
YOUNG = 86_400.0
"""Seconds in which a folder without a record may be a run that begins just now."""
OF_BATCH = "results.jsonl"
"""What lies beside a batch's runs."""
BUSY = "another process is working on it"


@dataclass(frozen=True, slots=True)
class Went:
    """What was, or would be, done with a run: `bytes` are free then, `why` it went or stays, `issue` what it was."""

    run: str
    bytes: int = 0
    why: str = ""
    issue: str = ""


@dataclass(slots=True)
class Collected:
    """`tidied` are runs that stay without what they do not need, `left` those that could not be touched."""

    dry_run: bool = False
    removed: list[Went] = field(default_factory=list)
    tidied: list[Went] = field(default_factory=list)
    left: list[Went] = field(default_factory=list)
    kept: int = 0

    @property
    def bytes(self) -> int:
        return sum(went.bytes for went in (*self.removed, *self.tidied))

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Going:
    """Which runs are to go: those `named`, and ended ones last written before `before` that are not among the `keep`
    newest. With neither of these none but the named."""

    named: Sequence[Path] = ()
    before: float | None = None
    keep: int | None = None

    def why(self, folder: Path, line: Line, number: int) -> str:
        """Why run `number` of a list, newest first, goes; "" where it stays."""
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
    runs: Path, going: Going, dry_run: bool = False, tell: Callable[[str], object] = lambda _: None
) -> Collected:
    """Remove what goes, and tidy the rest; with `dry_run` only say so. What cannot be touched is `left`.
    Raises UsageError for the runs of a batch."""
    if (runs.parent / OF_BATCH).exists():
        raise UsageError(f"{runs} holds the runs of a batch, which counts on them.", "Remove the batch's folder whole.")
    found = Collected(dry_run)
    weight = Weight()
    for folder in _leftovers(runs):
        _remove(folder, Went(folder.name, why="left by a crash"), found, weight)
    for number, line in enumerate(listed(runs)):
        folder = runs / line.run
        tell(line.run)
        try:
            with _alone(folder):
                if why := going.why(folder, line, number):
                    _remove(folder, Went(line.run, why=why, issue=line.issue), found, weight)
                else:
                    found.kept += 1
                    _tidy(folder, line, found, weight)
        except TryLater:
            found.kept += 1
            found.left.append(Went(line.run, why=BUSY))
        except (OSError, SweAgentError) as error:
            found.left.append(Went(line.run, why=str(error)))
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else may work on a run. Raises TryLater, OSError."""
    lock = locked(folder)
    try:
        yield
    finally:
        lock.release()


def _leftovers(runs: Path) -> list[Path]:
    """Folders that a removal or a beginning left behind when it was killed."""
    if not runs.is_dir():
        return []
    gone = [folder for folder in runs.iterdir() if folder.name.startswith(GONE)]
    old = time.time() - YOUNG
    begun = [
        folder
        for folder in runs.iterdir()
        if folder.is_dir()
        and not folder.name.startswith(".")
        and not (folder / "journal.jsonl").exists()
        and folder.stat().st_mtime < old
    ]
    return sorted([*gone, *begun])


def _remove(folder: Path, went: Went, found: Collected, weight: Weight) -> None:
    """At once for whoever looks: the folder has another name before the first of its files goes."""
    found.removed.append(Went(went.run, weight.of(folder), went.why, went.issue))
    if found.dry_run:
        return
    if not folder.name.startswith(GONE):
        folder = folder.rename(folder.with_name(f"{GONE}{folder.name}"))
    shutil.rmtree(folder)


def _tidy(folder: Path, line: Line, found: Collected, weight: Weight) -> None:
    """What is damaged, or a newer version's, stays as it is."""
    if line.ended in (DAMAGED, NEWER):
        return
    old = unneeded(folder, records(folder))
    free = weight.of(*old)
    why = [f"{len(old)} file{'s' * (len(old) != 1)} that no record names"] if old else []
    store = folder / "trees.git"
    scattered = not line.resumable and is_scattered(store)
    if scattered:
        why.append("its trees in one pack")
    if not found.dry_run:
        remove(old)
        if scattered:
            before = Weight().of(store)
            pack(store)
            free += before - Weight().of(store)
    if why:
        found.tidied.append(Went(line.run, free, " and ".join(why), line.issue))
