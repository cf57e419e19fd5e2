"""The runs that a session can go on with, the last used first. Of a journal the first line and its end are read, so
hundreds of long runs are listed at once; `look` reads one whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.ledger import Ledger
from trajectories.errors import RunBroken
from trajectories.journal import first_record, open_journal, read
from trajectories.parting import REPLAY
from trajectories.records import Exit, Reply, Spent

if TYPE_CHECKING:
    from agent.session.session import Session

TAIL = 16_000
"""Bytes of a journal's end, in which the end of its last turn lies unless much was noted since."""

BEGINNING = 3
"""Records that are written at once when a run begins; of a replay the last says so."""


@dataclass(frozen=True, slots=True)
class Found:
    """`title` is what was asked first, `ended` whether its last turn has. Of a run that was not begun, or whose first
    line is damaged, nothing is known but its name."""

    name: str
    title: str
    at: float
    ended: bool
    repository: str = ""

    @property
    def damaged(self) -> bool:
        return not self.repository


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run came to: what was asked first and last, the model's last words, and the end of its last turn."""

    issue: str
    request: str
    turns: int
    steps: int
    words: str
    exit: Exit | None
    spent: Spent


def runs_here(session: Session) -> list[Found]:
    """A run that cannot be read is left out; `swe-agent runs` names it."""
    root = str(session.start.source.root)
    return [run for run in runs_in(session.settings.runs) if run.repository == root]


def runs_in(folder: Path) -> list[Found]:
    """Those of all repositories, also the damaged ones; not a replay, which has no model to go on with."""
    found = [run for each in folder.glob("[!.]*") if (run := _found(each / "journal.jsonl"))]
    return sorted(found, key=lambda run: run.at, reverse=True)


def look(directory: Path) -> Seen:
    """Read a run. Raises RunBroken for one that is damaged, UsageError where there is none."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    said = (record.text for record in reversed(trajectory.records) if isinstance(record, Reply) and record.text.strip())
    return Seen(
        run.issue.text,
        trajectory.turns[-1].request if len(trajectory.turns) > 1 else "",
        len(trajectory.turns),
        len(trajectory.all_steps()),
        next(said, ""),
        trajectory.exit,
        ledger.spent,
    )


def _found(journal: Path) -> Found | None:
    try:
        with open_journal(journal) as file:
            at = os.fstat(file.fileno()).st_mtime
            line, *begun = (file.readline() for _ in range(BEGINNING))
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            tail = file.read().splitlines()
    except (OSError, RunBroken):
        return None
    try:
        first = json.loads(line)
        title, repository = str(first["issue"]["title"]), str(first["repository"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Found(journal.parent.name, "", at, ended=False)
    if _is_replay(begun[-1]):
        return None
    return Found(journal.parent.name, title, at, _ended(tail), repository)


def _is_replay(line: bytes) -> bool:
    """Whether this record says that its run is one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and (record.get("type"), record.get("kind")) == ("note", REPLAY)


def _ended(lines: list[bytes]) -> bool:
    """Whether the last turn that these records know of has ended; what was applied is noted behind its end."""
    of_turns = (line for line in reversed(lines) if line.endswith((b'"type":"exit"}', b'"type":"turn"}')))
    return next(of_turns, b"").endswith(b'"type":"exit"}')
