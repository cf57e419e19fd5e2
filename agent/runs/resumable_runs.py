"""The runs that a session can resume, most recently used first.

Only the beginning and the end of each journal are read, so listing hundreds of long runs is fast; `read_preview` reads
a whole journal.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from agent.limits.run_budget import Ledger
from trajectories.errors import RunBroken
from trajectories.journal import first_record, open_journal, read
from trajectories.records import Exit, Reply, Spent
from trajectories.trajectory import PROPOSAL, REPLAY

TAIL = 16_000
"""Number of bytes at the end of a journal that are searched for the end of its last turn."""

BEGINNING = 3
"""Number of records that are written when a run starts; the last one shows whether the run is a replay or a proof."""


@dataclass(frozen=True, slots=True)
class ResumableRun:
    """A run on disk; `title` is its first request, and `ended` is true if its last turn has ended. `is_proof` is true
    for runs of `swe-agent prove`.

    For a run that did not start, or whose first line is damaged, only the name is known.
    """

    name: str
    title: str
    at: float
    ended: bool
    repository: str = ""
    is_proof: bool = False

    @property
    def damaged(self) -> bool:
        return not self.repository


@dataclass(frozen=True, slots=True)
class RunPreview:
    """A summary of a run: its first and last request, the model's last text, and how its last turn ended."""

    issue: str
    request: str
    turns: int
    steps: int
    words: str
    exit: Exit | None
    spent: Spent


def runs_of(runs: Path, root: Path) -> list[ResumableRun]:
    """Return the readable runs of a repository; `swe-agent runs` also lists unreadable ones."""
    return [run for run in runs_in(runs) if run.repository == str(root)]


def runs_in(folder: Path) -> list[ResumableRun]:
    """Return the runs of all repositories, including damaged runs but excluding replays, which cannot be resumed."""
    found = [run for each in folder.glob("[!.]*") if (run := _found(each / "journal.jsonl"))]
    return sorted(found, key=lambda run: run.at, reverse=True)


def read_preview(directory: Path) -> RunPreview:
    """Read a run and return a summary of it. Raises RunBroken if the run is damaged, UsageError if it does not
    exist."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    texts = (
        record.text for record in reversed(trajectory.records) if isinstance(record, Reply) and record.text.strip()
    )
    return RunPreview(
        run.issue.text,
        trajectory.turns[-1].request if len(trajectory.turns) > 1 else "",
        len(trajectory.turns),
        len(trajectory.all_steps()),
        next(texts, ""),
        trajectory.exit,
        ledger.spent,
    )


def _found(journal: Path) -> ResumableRun | None:
    try:
        with open_journal(journal) as file:
            at = os.fstat(file.fileno()).st_mtime
            line, *first_lines = (file.readline() for _ in range(BEGINNING))
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            tail = file.read().splitlines()
    except (OSError, RunBroken):
        return None
    try:
        first = json.loads(line)
        title, repository = str(first["issue"]["title"]), str(first["repository"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ResumableRun(journal.parent.name, "", at, ended=False)
    if _is_note(first_lines[-1], REPLAY):
        return None
    return ResumableRun(journal.parent.name, title, at, _ended(tail), repository, _is_note(first_lines[-1], PROPOSAL))


def _is_note(line: bytes, kind: str) -> bool:
    """Return whether this record is a note of this kind, which says what its run is for."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and (record.get("type"), record.get("kind")) == ("note", kind)


def _ended(lines: list[bytes]) -> bool:
    """Return whether the last turn in these records has ended; notes about applied changes may follow its end."""
    of_turns = (line for line in reversed(lines) if line.endswith((b'"type":"exit"}', b'"type":"turn"}')))
    return next(of_turns, b"").endswith(b'"type":"exit"}')
