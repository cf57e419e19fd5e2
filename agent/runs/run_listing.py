"""Runs on disk in a line each: which there are, filtered, searched and sorted.

Of a journal only the short records are decoded; what a record is stands at its line's end, so thousands of runs take
about as long as reading their files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from os import makedev
from pathlib import Path
from typing import Any, Literal

from agent.ledger import Ledger
from trajectories.errors import NewerRun, RunBroken, UsageError
from trajectories.journal import Lines, open_journal
from trajectories.limits import read_limited
from trajectories.parting import REPLAY
from trajectories.records import Exit, Hold, Note, Run, Settle, Step, Turn

KIND = re.compile(rb'"type":"(\w+)"}\n$')
LONG = frozenset({b"step", b"reply", b"once"})
"""Records that are counted at most: they hold what was said and seen."""
FROM = ("forked", REPLAY)
"""Notes that say of which run this one is."""
LONGEST_END = 40
"""Bytes of a line's end in which it says what it is."""
DAMAGED, NEWER, OPEN, RUNNING = "damaged", "newer", "open", "running"
LOCKS = Path("/proc/locks")
"""Where Linux tells which files are locked, so that nobody must try it with a lock of their own."""
LOCK = re.compile(r"(?m)^\d+: FLOCK .* ([0-9a-f]+):([0-9a-f]+):(\d+) 0 EOF$")
Sort = Literal["at", "dollars", "steps", "issue", "repository"]
PATHS = re.compile(rb"^diff --git (.*)$", re.MULTILINE)


@dataclass(slots=True)
class Line:
    """A run. `exit` is the code it ended with and `ended` the kind of that end (None: it has not); of a damaged run
    both are `damaged`, of one that a newer version wrote `newer`. `dollars` is None where a request had no price.
    `running`: it has not, and a process works on it, as far as that can be seen. `origin` names the run that this one
    was forked from, or replays. `asked` is the issue and every request, for a search."""

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

    @property
    def state(self) -> str:
        """How it ended; `running`, or `open` where it can be gone on with; "" where it was not begun. A replay that was
        cut off stays so."""
        if self.running:
            return RUNNING
        return OPEN if self.resumable else self.ended or ("interrupted" if self.turns else "")

    def as_json(self) -> dict[str, object]:
        """As `runs --json` lists it."""
        return {name: value for name, value in asdict(self).items() if name != "asked"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is of; what is empty does not matter. `ended` are states, `since` seconds since the epoch. `model` is
    a part of a model's name, `repository` a folder or a part of its path. All `words` stand in the issue, a request or
    the paths of the patch."""

    ended: Sequence[str] = ()
    since: float = 0.0
    model: str = ""
    strategy: str = ""
    repository: str = ""
    resumable: bool = False
    words: Sequence[str] = ()

    def has(self, line: Line, folder: Path) -> bool:
        return (
            (not self.ended or line.state in self.ended)
            and line.at >= self.since
            and self.model.casefold() in line.model.casefold()
            and self.strategy in ("", line.strategy)
            and (not self.repository or _is_of(line.repository, self.repository))
            and (line.resumable or not self.resumable)
            and (not self.words or _holds(f"{line.asked}\n{patched(folder)}", self.words))
        )


def listed(runs: Path, wanted: Wanted | None = None, sort: Sort = "at") -> list[Line]:
    """The runs in a folder, the newest first, or by `sort`. A damaged run is left out of nobody's
    sight."""
    held = held_files()
    found = [(folder, line_of(folder, held)) for folder in run_folders(runs)]
    lines = [line for folder, line in found if wanted is None or wanted.has(line, folder)]
    lines.sort(key=lambda line: (line.at, line.run), reverse=True)
    key, largest = SORTS[sort]
    return sorted(lines, key=key, reverse=largest)


def run_folders(runs: Path) -> Iterator[Path]:
    """Those with a journal; a name that begins with a dot is of one that is being removed."""
    try:
        folders = sorted(runs.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (each for each in folders if each.name[0] != "." and (each / "journal.jsonl").is_file())


def held_files() -> frozenset[tuple[int, int]]:
    """Device and inode of each file that a process has locked; none where the system does not tell."""
    try:
        told = LOCKS.read_text("ascii", "replace")
    except OSError:
        return frozenset()
    return frozenset((makedev(int(major, 16), int(minor, 16)), int(node)) for major, minor, node in LOCK.findall(told))


def is_held(folder: Path, held: Set[tuple[int, int]]) -> bool:
    """Whether the lock of a run's folder is one of these files."""
    try:
        found = (folder / "lock").stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) in held


def line_of(folder: Path, held: Set[tuple[int, int]] = frozenset()) -> Line:
    """Of a run on disk; `held` is what is locked."""
    journal = folder / "journal.jsonl"
    line = Line(folder.name, 0.0)
    try:
        line.at = journal.stat().st_mtime
        _read(journal, line)
    except NewerRun:
        return Line(folder.name, line.at, exit=NEWER, ended=NEWER)
    except (OSError, KeyError, RunBroken):
        return Line(folder.name, line.at, exit=DAMAGED, ended=DAMAGED)
    line.running = bool(held) and line.ended is None and is_held(folder, held)
    return line


def _read(journal: Path, line: Line) -> None:
    """Raises RunBroken for a journal that is damaged before its end, NewerRun for one that is not understood."""

    def is_long(raw: bytes) -> bool:
        kind = KIND.search(raw, max(0, len(raw) - LONGEST_END))
        if kind is None or kind[1] not in LONG or raw[:1] != b"{":
            return False
        line.steps += kind[1] == b"step"
        return True

    holds: list[Hold] = []
    settles: dict[str, Settle] = {}
    replays = False
    with open_journal(journal) as file:
        for record in Lines(journal).records(file, is_long):
            match record:
                case Step():  # of a line that somebody wrote anew
                    line.steps += 1
                case Hold():
                    holds.append(record)
                case Settle():
                    settles[record.hold] = record
                case Run():
                    _begin(line, record)
                case Turn():
                    _turn(line, record)
                case Exit():
                    line.exit, line.ended, line.resumable = record.code, record.kind, False
                case Note(kind=kind, data={"run": str(name)}) if kind in FROM:
                    line.origin, replays = name, replays or kind == REPLAY
                case _:
                    pass
    ledger = Ledger(None)
    ledger.replay(holds, settles)
    line.dollars = ledger.spent.dollars if line.repository else None
    line.resumable = line.resumable and not replays


def _begin(line: Line, run: Run) -> None:
    line.at, line.issue, line.repository = run.at, run.issue.title, run.repository
    line.asked = run.issue.text


def _turn(line: Line, turn: Turn) -> None:
    line.turns += 1
    line.exit = line.ended = None
    line.resumable = True
    line.strategy, line.model = turn.strategy, turn.models.get("coder", "") or line.model
    if line.turns > 1:
        line.asked += f"\n{turn.request}"


def patched(folder: Path) -> str:
    """The paths that a run's patch changes, a line each."""
    try:
        diff = read_limited(folder / "patch.diff", inside=folder)
    except (OSError, UsageError):
        return ""
    return b"\n".join(PATHS.findall(diff)).decode("utf-8", "replace")


def _is_of(repository: str, asked: str) -> bool:
    """Whether somebody means this repository by `asked`: it, or a folder in it, or a part of its path."""
    with suppress(OSError, RuntimeError):  # a name that is too long, the home of nobody
        if (folder := Path(asked).expanduser()).is_dir():
            at = folder.resolve()
            return Path(repository) in (at, *at.parents)
    return asked.casefold() in repository.casefold()


def _holds(text: str, words: Iterable[str]) -> bool:
    text = text.casefold()
    return all(word.casefold() in text for word in words)


SORTS: dict[Sort, tuple[Callable[[Line], Any], bool]] = {
    "at": (lambda line: line.at, True),
    "dollars": (lambda line: -1.0 if line.dollars is None else line.dollars, True),
    "steps": (lambda line: line.steps, True),
    "issue": (lambda line: line.issue.casefold(), False),
    "repository": (lambda line: line.repository, False),
}
"""What of a line counts, and whether the largest comes first."""
