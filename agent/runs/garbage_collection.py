"""Which runs go, and what of the others: never one that another process works on, nor one that can be gone on with
unless it is named."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.listing import DAMAGED, NEWER, Line, line_of, listed
from agent.ownership import forget, run_owner
from trajectories.errors import SweAgentError, TryLater, UsageError
from trajectories.journal import locked, records
from trajectories.tidying import Weight, is_scattered, pack, remove, unneeded

GONE = ".gone-"
"""How the name of a folder begins that is being removed."""
NAME = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{6}")
"""Of a run: when its folder was made."""
YOUNG = 86_400.0
"""Seconds in which a folder without a record may be a run that begins just now."""
OF_BEGINNING = frozenset({"lock", "out", "trees.git"})
"""What a run has before its first record."""
CRASHED = "left by a crash"
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
    for folder in _beginning_with(GONE, runs):
        with _said(folder, found):
            _remove(folder, Went(folder.name, why=CRASHED), found, weight)
    for folder in _beginning_with("", runs):
        with _said(folder, found):
            if _is_unbegun(folder):
                with _alone(folder):
                    if _is_unbegun(folder):
                        _remove(folder, Went(folder.name, why=CRASHED), found, weight)
    before = len(found.removed)
    lines = listed(runs)
    for number, line in enumerate(lines):
        folder = runs / line.run
        tell(line.run)
        with _said(folder, found), _alone(folder):
            _collect(folder, going, number, found, weight)
    found.kept = len(lines) - (len(found.removed) - before)
    return found


def _collect(folder: Path, going: Going, number: int, found: Collected, weight: Weight) -> None:
    line = line_of(folder)  # as it stands now that nobody can go on with it
    if why := going.why(folder, line, number):
        _remove(folder, Went(line.run, why=why, issue=line.issue), found, weight)
    else:
        _tidy(folder, line, found, weight)


@contextmanager
def _said(folder: Path, found: Collected) -> Iterator[None]:
    """Why it could not be touched, if so."""
    try:
        yield
    except TryLater:
        found.left.append(Went(folder.name, why=BUSY))
    except (OSError, SweAgentError) as error:
        found.left.append(Went(folder.name, why=str(error)))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else may work on a run. Raises TryLater, OSError."""
    lock = locked(folder)
    try:
        yield
    finally:
        lock.release()


def _beginning_with(name: str, runs: Path) -> list[Path]:
    return sorted(each for each in runs.iterdir() if each.name.startswith(name)) if runs.is_dir() else []


def _is_unbegun(folder: Path) -> bool:
    """Whether it was made for a run, more than a day ago, and nothing has come into it: neither record nor file of
    anybody's."""
    if (name := NAME.fullmatch(folder.name)) is None or folder.is_symlink() or not folder.is_dir():
        return False
    try:
        made = time.mktime(time.strptime(name[1], "%Y%m%d-%H%M%S"))
    except (ValueError, OverflowError):
        return False
    kept = [path for part in ("out", "trees.git/objects") for path in (folder / part).rglob("*") if not path.is_dir()]
    return made < time.time() - YOUNG and not kept and {path.name for path in folder.iterdir()} <= OF_BEGINNING


def _remove(folder: Path, went: Went, found: Collected, weight: Weight) -> None:
    """At once for whoever looks: the folder has another name before the first of its files goes."""
    free = weight.of(folder)
    if not found.dry_run:
        if not folder.name.startswith(GONE):
            forget(folder, folder.parent.parent)
            folder = folder.rename(folder.with_name(f"{GONE}{folder.name}"))
        remove([folder])
    found.removed.append(replace(went, bytes=free))


def _tidy(folder: Path, line: Line, found: Collected, weight: Weight) -> None:
    """Remove what no record of the run needs, and pack its trees. A run that is damaged, of a newer version, or not the
    user's own stays as it is: links in a sent folder lead to the user's files."""
    if line.ended in (DAMAGED, NEWER) or run_owner(folder, folder.parent.parent) != "user":
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
