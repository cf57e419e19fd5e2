"""The history of prompts in a repository across sessions, in a private file of the user's state folder.

Two sessions may add entries at the same time. Entries that look like they contain a secret are not stored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from aci.observation.secret_masking import mask_secrets
from agent.engine.engine import known_secrets
from trajectories.journal import append_durably, write_durably

MOST = 1000
"""Maximum number of entries."""
LONGEST = 20_000
"""Maximum number of characters in an entry; longer text was pasted."""
PATIENCE = 2.0
"""Seconds to wait for another process that uses the file."""


class History:
    """The prompt history, oldest first: the entries stored before this session started, and those of this session."""

    def __init__(self, state: Path, repository: Path) -> None:
        self._file = state / "history" / f"{sha256(os.fsencode(repository)).hexdigest()[:24]}.jsonl"
        self._entries = _read(self._file)

    @property
    def entries(self) -> Sequence[str]:
        return self._entries

    def add(self, words: str) -> None:
        """Add an entry, unless it repeats the last one, is too long or contains a secret.

        If the file cannot be written, the entry is kept for this session only.
        """
        words = words.strip()
        if not words or len(words) > LONGEST or words in self._entries[-1:]:
            return
        if mask_secrets(words, known_secrets(os.environ)) != words:
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
    """Return the newline to write first if a crash left the last line incomplete, otherwise an empty string."""
    end = os.fstat(descriptor).st_size
    return b"\n" if end and os.pread(descriptor, 1, end - 1) != b"\n" else b""


def _read(file: Path) -> list[str]:
    """Return the entries; invalid lines are skipped."""
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
