"""What the user typed at the prompt in this repository, over all sessions: kept in their state, for their eyes only.

Two sessions may add at once. What holds something that looks like a secret is not kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from aci.view import mask
from agent.engine import known_secrets
from trajectories.journal import append_durably, write_durably

MOST = 1000
"""Entries that are kept."""
LONGEST = 20_000
"""Characters; a longer text was pasted, and would be in nobody's way up."""
PATIENCE = 2.0
"""Seconds for another process to be done with the file."""


class History:
    """`entries`, the oldest first: of earlier sessions as they stood when this one began, and of this one."""

    def __init__(self, state: Path, repository: Path) -> None:
        self._file = state / "history" / f"{sha256(os.fsencode(repository)).hexdigest()[:24]}.jsonl"
        self._entries = _read(self._file)

    @property
    def entries(self) -> Sequence[str]:
        return self._entries

    def add(self, words: str) -> None:
        """Keep what was typed, unless it is what was typed last, or is none of the history's business. A file that
        cannot be written is no reason to stop: it is kept for this session then."""
        words = words.strip()
        if not words or len(words) > LONGEST or words in self._entries[-1:]:
            return
        if mask(words, known_secrets(os.environ)) != words:
            return
        self._entries.append(words)
        with suppress(OSError, Timeout):
            self._append(json.dumps(words).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(self._file.with_suffix(".lock"), timeout=PATIENCE):
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                append_durably(descriptor, _end_of_torn(descriptor) + line)
            finally:
                os.close(descriptor)
            if len(kept := _read(self._file)) > 2 * MOST:
                write_durably(self._file, b"".join(json.dumps(each).encode() + b"\n" for each in kept[-MOST:]))


def _end_of_torn(descriptor: int) -> bytes:
    """What ends a line that a crash left unfinished."""
    end = os.fstat(descriptor).st_size
    return b"\n" if end and os.pread(descriptor, 1, end - 1) != b"\n" else b""


def _read(file: Path) -> list[str]:
    """The entries there are; lines that are none are left out."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return []
    return [entry for line in lines if isinstance(entry := _entry(line), str)]


def _entry(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
