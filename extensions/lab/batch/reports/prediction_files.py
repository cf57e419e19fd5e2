"""Prediction files for SWE-bench's harness: `all_preds.jsonl` (append-only) and `preds.json` (written atomically)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from extensions.lab.instances.append_log import AppendLog, write_error
from trajectories.errors import RunBroken
from trajectories.git_store.git_commands import sync_folder
from trajectories.journal import open_new, write_fully

SHARE = 0.02
"""Maximum share of the time spent on rewriting `preds.json` during a batch, whatever its size."""
PAUSE = 1.0
"""Minimum number of seconds between two rewrites."""
CHUNK = 1 << 20


def encode(instance: str, model: str, patch: str) -> bytes:
    """Return a line of all_preds.jsonl."""
    return json.dumps({"instance_id": instance, "model_name_or_path": model, "model_patch": patch}).encode() + b"\n"


def line_digest(line: bytes) -> bytes:
    return sha256(line).digest()


class Predictions:
    """The two files in `folder`; `ids` are the instances that they contain. Not thread-safe.

    `expected` holds the digests of the lines that the results imply, by instance. Raises RunBroken for a damaged file
    and for a line that differs from the expected one, WorkspaceError if they cannot be written.
    """

    def __init__(self, folder: Path, expected: Mapping[str, bytes]) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        self.ids: set[str] = set()
        self._expected = expected
        self._whole = folder / "preds.json"
        self._lines_path = folder / "all_preds.jsonl"
        self._lines = AppendLog(self._lines_path, self._read)
        self._stale = True
        self._next = 0.0

    def _read(self, line: bytes) -> None:
        row = json.loads(line)
        if not isinstance(row, dict) or not isinstance(row.get("instance_id"), str) or row["instance_id"] in self.ids:
            raise ValueError("not a prediction, or one of an instance that has one")
        if self._expected.get(row["instance_id"], line_digest(line)) != line_digest(line):
            what = f"The prediction for {row['instance_id']} in {self._lines_path} differs from its result's patch."
            raise RunBroken(what, "Remove this file; it is written again from the results.")
        self.ids.add(row["instance_id"])

    def add(self, instance: str, model: str, patch: str) -> None:
        """Add a prediction for an instance without one."""
        self._lines.append(encode(instance, model, patch))
        self.ids.add(instance)
        self._stale = True
        if time.monotonic() >= self._next:
            self.write()

    def write(self) -> None:
        """Bring `preds.json` up to date: {id: prediction}, in the order of the lines."""
        if not self._stale:
            return
        began = time.monotonic()
        beside = self._whole.with_name(f".{self._whole.name}.new")
        try:
            self._copy(beside)
            beside.replace(self._whole)
            sync_folder(self._whole.parent)
        except OSError as error:
            raise write_error(self._whole, error) from error
        self._stale = False
        now = time.monotonic()
        self._next = now + max(PAUSE, (now - began) / SHARE)

    def _copy(self, target: Path) -> None:
        """Write the lines as one object, without holding all of them in memory."""
        descriptor = open_new(target)
        try:
            buffer = bytearray(b"{")
            with self._lines_path.open("rb") as lines:
                for number, line in enumerate(lines):
                    name = json.dumps(json.loads(line)["instance_id"]).encode()
                    buffer += (b",\n" if number else b"\n") + name + b": " + line.rstrip(b"\n")
                    if len(buffer) > CHUNK:
                        write_fully(descriptor, bytes(buffer))
                        buffer.clear()
            write_fully(descriptor, bytes(buffer) + b"\n}\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        try:
            self.write()
        finally:
            self._lines.close()
