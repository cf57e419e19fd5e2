"""The runs that a session can go on with: those of its repository, the last used first. Of a journal the first line and
its end are read, so a hundred long runs are listed at once."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.session.session import Session

TAIL = 16_000
"""Bytes of a journal's end, in which its last record lies unless that is a long one."""


@dataclass(frozen=True, slots=True)
class Found:
    """`title` is what was asked first, `ended` whether its last turn has."""

    name: str
    title: str
    at: float
    ended: bool


def runs_here(session: Session) -> list[Found]:
    """A run that cannot be read is left out; `swe-agent runs` names it."""
    root = str(session.start.source.root)
    found = [run for folder in session.settings.runs.glob("*") if (run := _found(folder / "journal.jsonl", root))]
    return sorted(found, key=lambda run: run.at, reverse=True)


def _found(journal: Path, root: str) -> Found | None:
    try:
        with journal.open("rb") as file:
            first = json.loads(file.readline())
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
            at = os.fstat(file.fileno()).st_mtime
        if first["repository"] != root:
            return None
        return Found(journal.parent.name, str(first["issue"]["title"]), at, b'"type":"exit"' in last.replace(b" ", b""))
    except (OSError, ValueError, KeyError, TypeError):
        return None
