"""What a batch has come to, on disk: `results.jsonl`, and its predictions.

`results.jsonl` is the truth: append-only, a `Done` a line (and the model's name), on disk before anything else says so.
What infrastructure failed is not final: a later line of the same run takes its place. Predictions follow from what is
final: what a killed driver left out is added when the batch is opened again. Those of repeat k > 1 lie in `repeat-k/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

from agent.batch.appended import Appended, no_room
from agent.batch.place import Done
from agent.batch.predictions import Predictions, line_digest
from agent.batch.predictions import encode as encode_prediction
from agent.ownership import RESULTS
from trajectories.errors import RunBroken
from trajectories.journal import hold

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RUN = re.compile(r"(?!\.{1,2}\Z)[^/\0]+")
"""The name of a run's folder: one part of a path."""


@cache
def _adapter() -> TypeAdapter[Done]:
    from pydantic import TypeAdapter

    return TypeAdapter(Done)


def encode(done: Done, model: str) -> bytes:
    """A line of results.jsonl. A patch may hold bytes that are no UTF-8; JSON's escapes keep them."""
    return json.dumps({**asdict(done), "model": model}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> tuple[Done, str]:
    """What a line says, and the model. Raises ValueError for anything else."""
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("patch"), str) or not isinstance(row.get("model"), str):
        raise ValueError("not a result")
    done = _adapter().validate_python(row | {"patch": ""})
    if not RUN.fullmatch(done.run):
        raise ValueError("not the name of a run")
    return replace(done, patch=row["patch"]), row["model"]


def standing_lines(out: Path) -> Iterator[bytes]:
    """The whole lines of `results.jsonl` whose place no later one has taken, damaged ones too; also while another
    process writes it."""
    try:
        with (out / RESULTS).open("rb") as file:
            failed: dict[str, int] = {}
            superseded, count = set[int](), 0
            for count, line in enumerate(file, 1):
                with suppress(ValueError):
                    done = decode(line)[0]
                    superseded.add(failed.pop(done.run, 0))
                    if not done.final:
                        failed[done.run] = count
            file.seek(0)
            for number, line in enumerate(islice(file, count), 1):
                if line.endswith(b"\n") and number not in superseded:
                    yield line
    except FileNotFoundError:
        return


def read_results(out: Path) -> Iterator[Done]:
    """What the batch in `out` has come to so far, one at a time, each run once, also while another process writes it.

    Nothing is changed on disk. Raises RunBroken for a damaged line.
    """
    try:
        for line in standing_lines(out):
            yield decode(line)[0]
    except ValueError as error:
        raise RunBroken(f"{out / RESULTS} is damaged.", "Restore the file from a copy.") from error


def results(out: Path) -> list[Done]:
    """All of `read_results`."""
    return list(read_results(out))


class Store:
    """The records of the batch in `out`, which this process alone writes; safe to share between threads.

    `digest` is the file in which the digest of `results.jsonl` is kept, if any. Raises TryLater while another process
    has it, RunBroken for damaged records and UsageError for results that are not those of the digest (nothing is
    touched then), WorkspaceError where they cannot be written.
    """

    def __init__(self, out: Path, digest: Path | None = None) -> None:
        self.out, self._digest = out, digest
        self.done: dict[str, Done] = {}
        """What is final, by the names of the runs, without the patches, which are on disk."""
        self.failed: dict[str, Done] = {}
        """What is to be tried again, as infrastructure failed it."""
        self._lock = Lock()
        self._predictions: dict[int, Predictions] = {}
        self._expected: dict[int, dict[str, bytes]] = {}
        try:
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
            what = f"Another process works on the batch in {out}."
            self._file_lock = hold(out / "batch.lock", what, "Wait for it, or stop it.")
        except OSError as error:
            raise no_room(out, error) from error
        try:
            self._open()
        except BaseException:
            self._file_lock.release()
            raise

    def _open(self) -> None:
        self._results = Appended(self.out / RESULTS, self._read, self._digest)
        missing = {run for run, done in self.done.items() if done.instance not in self._of(done.repeat).ids}
        if missing:
            with (self.out / RESULTS).open("rb") as file:
                for done, model in map(decode, file):
                    if done.final and done.run in missing:
                        self._predict(done, model)
        self._of(1)
        for predictions in self._predictions.values():
            predictions.write()

    def _read(self, line: bytes) -> None:
        done, model = decode(line)
        if done.run in self.done:
            raise ValueError("twice")
        self._know(done)
        if done.final:
            predicted = encode_prediction(done.instance, model, done.patch)
            self._expected.setdefault(done.repeat, {})[done.instance] = line_digest(predicted)

    def _know(self, done: Done) -> None:
        self.failed.pop(done.run, None)
        (self.done if done.final else self.failed)[done.run] = replace(done, patch="")

    def _of(self, repeat: int) -> Predictions:
        if repeat not in self._predictions:
            folder = self.out if repeat == 1 else self.out / f"repeat-{repeat}"
            found = self._predictions[repeat] = Predictions(folder, self._expected.get(repeat, {}))
            if strange := found.ids - {done.instance for done in self.done.values() if done.repeat == repeat}:
                raise RunBroken(
                    f"{folder} has a prediction for {min(strange)}, of which {self.out / RESULTS} knows nothing.",
                    "Restore that file from a copy, or begin another batch with --out.",
                )
        return self._predictions[repeat]

    def add(self, done: Done, model: str) -> bool:
        """Keep what a job came to, and return when it is on disk. False where its run has come to something final
        before, which stays."""
        line = encode(done, model)
        decode(line)  # what could not be read again is not written
        with self._lock:
            if done.run in self.done:
                return False
            self._results.append(line)
            self._know(done)
            if done.final:
                self._predict(done, model)
        return True

    def _predict(self, done: Done, model: str) -> None:
        self._of(done.repeat).add(done.instance, model, done.patch)

    def close(self) -> None:
        """`preds.json` is right afterwards, and another process may go on."""
        with self._lock:
            try:
                for predictions in self._predictions.values():
                    predictions.close()
            finally:
                self._results.close()
                self._file_lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()
