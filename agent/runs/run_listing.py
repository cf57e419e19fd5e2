"""The list of runs on disk, with filters, search and sorting.

Only short records of a journal are decoded. The type of a record is at the end of its line, so listing thousands of
runs takes about as long as reading their files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from os import makedev
from pathlib import Path
from typing import Any, Literal

from agent.limits.run_budget import Ledger
from trajectories.errors import NewerRun, RunBroken, UsageError
from trajectories.file_limits import read_limited
from trajectories.journal import Lines, open_journal
from trajectories.records import Exit, Hold, Note, Run, Settle, Step, Turn
from trajectories.trajectory import REPLAY

KIND = re.compile(rb'"type":"(\w+)"}\n$')
LONG = frozenset({b"step", b"reply", b"once"})
"""Types of long records, which are counted but not decoded."""
ORIGIN_NOTES = ("forked", REPLAY)
"""Kinds of notes that name the run that this one was forked from or replays."""
LONGEST_END = 40
"""Number of bytes at the end of a line that are searched for the record's type."""
DAMAGED, NEWER, OPEN, RUNNING = "damaged", "newer", "open", "running"
LOCKS = Path("/proc/locks")
"""Linux's list of locked files; reading it avoids trying to lock each run."""
LOCK = re.compile(r"(?m)^\d+: FLOCK .* ([0-9a-f]+):([0-9a-f]+):(\d+) 0 EOF$")
Sort = Literal["at", "dollars", "steps", "issue", "repository"]
PATHS = re.compile(rb"^diff --git (.*)$", re.MULTILINE)


@dataclass(slots=True)
class RunSummary:
    """The summary of a run for the list.

    `exit` is the exit code and `ended` the exit kind; both are None if the run has not ended, `damaged` if it is
    damaged, and `newer` if a newer version wrote it. `dollars` is None if the price of a request is unknown. `running`
    is true if a process is known to work on the run. `origin` is the run that this one was forked from or replays.
    `asked` is the text of the issue and all requests, for searches.
    """

    run: str
    at: float
    issue: str = ""
    exit: int | str | None = None
    ended: str | None = None
    dollars: float | None = None
    steps: int = 0
    resumable: bool = False
    running: bool = False
    repository: str = ""
    model: str = ""
    strategy: str = ""
    turns: int = 0
    origin: str = ""
    asked: str = field(default="", repr=False)
    is_begun: bool = field(default=False, repr=False)
    """Whether anything was done, as opposed to a run whose workspace could not be opened."""

    @property
    def state(self) -> str:
        """`running`, `open` if there is work to resume, otherwise how the run ended, or "" if it never began.

        An interrupted replay has the state `interrupted`.
        """
        if self.running:
            return RUNNING
        if self.resumable:
            return OPEN if self.is_begun else ""
        return self.ended or ("interrupted" if self.turns else "")

    def as_json(self) -> dict[str, object]:
        """Return the object that `runs --json` prints."""
        return {name: value for name, value in asdict(self).items() if name not in ("asked", "is_begun")}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """A filter for runs; empty fields match everything.

    `ended` contains states, and `since` is in seconds since the epoch. `model` is part of a model's name, `repository`
    a folder or part of its path. Each of `words` must occur in the issue, in a request, or in a path that the patch
    changes.
    """

    ended: Sequence[str] = ()
    since: float = 0.0
    model: str = ""
    strategy: str = ""
    repository: str = ""
    resumable: bool = False
    words: Sequence[str] = ()

    def has(self, line: RunSummary, folder: Path) -> bool:
        return (
            (not self.ended or line.state in self.ended)
            and line.at >= self.since
            and self.model.casefold() in line.model.casefold()
            and self.strategy in ("", line.strategy)
            and (not self.repository or _matches_repository(line.repository, self.repository))
            and (line.resumable or not self.resumable)
            and (not self.words or _contains_all(f"{line.asked}\n{patched_paths(folder)}", self.words))
        )


def list_runs(runs: Path, wanted: RunFilter | None = None, sort: Sort = "at") -> list[RunSummary]:
    """Return the runs in a folder, including damaged ones, sorted by `sort` (newest first by default)."""
    held = locked_files()
    found = [(folder, summarize_run(folder, held)) for folder in run_folders(runs)]
    lines = [line for folder, line in found if wanted is None or wanted.has(line, folder)]
    lines.sort(key=lambda line: (line.at, line.run), reverse=True)
    key, largest = SORTS[sort]
    return sorted(lines, key=key, reverse=largest)


def run_folders(runs: Path) -> Iterator[Path]:
    """Yield the folders that contain a journal, except runs that are being removed, whose names start with a dot."""
    try:
        folders = sorted(runs.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (each for each in folders if each.name[0] != "." and (each / "journal.jsonl").is_file())


def locked_files() -> frozenset[tuple[int, int]]:
    """Return the device and inode of each locked file, or nothing on systems without such a list."""
    try:
        listing = LOCKS.read_text("ascii", "replace")
    except OSError:
        return frozenset()
    return frozenset(
        (makedev(int(major, 16), int(minor, 16)), int(node)) for major, minor, node in LOCK.findall(listing)
    )


def is_held(folder: Path, held: Set[tuple[int, int]]) -> bool:
    """Return whether the lock file of a run's folder is one of these files."""
    try:
        found = (folder / "lock").stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) in held


def summarize_run(folder: Path, held: Set[tuple[int, int]] = frozenset()) -> RunSummary:
    """Return the summary of a run on disk; `held` contains the locked files."""
    journal = folder / "journal.jsonl"
    line = RunSummary(folder.name, 0.0)
    try:
        line.at = journal.stat().st_mtime
        _read(journal, line)
    except NewerRun:
        return RunSummary(folder.name, line.at, exit=NEWER, ended=NEWER)
    except (OSError, KeyError, RunBroken):
        return RunSummary(folder.name, line.at, exit=DAMAGED, ended=DAMAGED)
    line.running = bool(held) and line.ended is None and is_held(folder, held)
    return line


def _read(journal: Path, line: RunSummary) -> None:
    """Read a journal into a summary. Raises RunBroken if it is damaged before its end, NewerRun if a newer version
    wrote it."""

    def is_long(raw: bytes) -> bool:
        kind = KIND.search(raw, max(0, len(raw) - LONGEST_END))
        if kind is None or kind[1] not in LONG or raw[:1] != b"{":
            return False
        line.steps += kind[1] == b"step"
        line.is_begun = True
        return True

    holds: list[Hold] = []
    settles: dict[str, Settle] = {}
    replays = False
    with open_journal(journal) as file:
        for record in Lines(journal).records(file, is_long):
            match record:
                case Step():  # a step that another program wrote in another format, so that `is_long` did not count it
                    line.steps += 1
                    line.is_begun = True
                case Hold():
                    holds.append(record)
                    line.is_begun = True
                case Note(kind="phase"):
                    line.is_begun = True
                case Settle():
                    settles[record.hold] = record
                case Run():
                    _begin(line, record)
                case Turn():
                    _turn(line, record)
                case Exit():
                    line.exit, line.ended, line.resumable = record.code, record.kind, False
                case Note(kind=kind, data={"run": str(name)}) if kind in ORIGIN_NOTES:
                    line.origin, replays = name, replays or kind == REPLAY
                case _:
                    pass
    ledger = Ledger(None)
    ledger.replay(holds, settles)
    line.dollars = ledger.spent.dollars if line.repository else None
    line.resumable = line.resumable and not replays


def _begin(line: RunSummary, run: Run) -> None:
    line.at, line.issue, line.repository = run.at, run.issue.title, run.repository
    line.asked = run.issue.text


def _turn(line: RunSummary, turn: Turn) -> None:
    line.turns += 1
    line.exit = line.ended = None
    line.resumable = True
    line.strategy, line.model = turn.strategy, turn.models.get("coder", "") or line.model
    if line.turns > 1:
        line.asked += f"\n{turn.request}"


def patched_paths(folder: Path) -> str:
    """Return the paths that a run's patch changes, one per line."""
    try:
        diff = read_limited(folder / "patch.diff", inside=folder)
    except (OSError, UsageError):
        return ""
    return b"\n".join(PATHS.findall(diff)).decode("utf-8", "replace")


def _matches_repository(repository: str, asked: str) -> bool:
    """Return whether `asked` is this repository, a folder in it, or part of its path."""
    with suppress(OSError, RuntimeError):  # the name is too long, or `~user` names an unknown user
        if (folder := Path(asked).expanduser()).is_dir():
            at = folder.resolve()
            return Path(repository) in (at, *at.parents)
    return asked.casefold() in repository.casefold()


def _contains_all(text: str, words: Iterable[str]) -> bool:
    text = text.casefold()
    return all(word.casefold() in text for word in words)


SORTS: dict[Sort, tuple[Callable[[RunSummary], Any], bool]] = {
    "at": (lambda line: line.at, True),
    "dollars": (lambda line: -1.0 if line.dollars is None else line.dollars, True),
    "steps": (lambda line: line.steps, True),
    "issue": (lambda line: line.issue.casefold(), False),
    "repository": (lambda line: line.repository, False),
}
"""For each order, the sort key of a run and whether the order is descending."""
