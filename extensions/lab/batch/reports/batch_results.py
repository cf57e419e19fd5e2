"""The results of a batch on disk: `results.jsonl` and the predictions.

`results.jsonl` is the source of truth: append-only, one `JobResult` and the model's name on each line, written durably
before anything is reported. Infrastructure failures are not final: a later line of the same run replaces them.
Predictions are derived from final results; those that a killed driver did not write are added when the batch is opened
again. Predictions of repeat k > 1 are in `repeat-k/`.
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

from agent.run_state.run_ownership import RESULTS
from extensions.lab.batch.reports.prediction_files import Predictions, line_digest
from extensions.lab.batch.reports.prediction_files import encode as encode_prediction
from extensions.lab.instances.append_log import AppendLog, write_error
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import RunBroken
from trajectories.file_limits import acquire_lock

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RUN = re.compile(r"(?!\.{1,2}\Z)[^/\0]+")
"""The name of a run's folder, a single path component."""


@cache
def _adapter() -> TypeAdapter[JobResult]:
    from pydantic import TypeAdapter

    return TypeAdapter(JobResult)


def encode(done: JobResult, model: str) -> bytes:
    """Return a line of results.jsonl. Bytes of a patch that are not UTF-8 are preserved as JSON escapes."""
    return json.dumps({**asdict(done), "model": model}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> tuple[JobResult, str]:
    """Return the result and the model name in a line of results.jsonl. Raises ValueError for a line that is not a
    result."""
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("patch"), str) or not isinstance(row.get("model"), str):
        raise ValueError("not a result")
    done = _adapter().validate_python(row | {"patch": ""})
    if not RUN.fullmatch(done.run):
        raise ValueError("not the name of a run")
    return replace(done, patch=row["patch"]), row["model"]


def current_lines(out: Path) -> Iterator[bytes]:
    """Yield the complete lines of `results.jsonl` that no later line replaces, including damaged ones.

    Another process may be writing the file.
    """
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


def read_results(out: Path) -> Iterator[JobResult]:
    """Yield the results of the batch in `out`, one for each run; another process may be writing them.

    Nothing is changed on disk. Raises RunBroken for a damaged line.
    """
    try:
        for line in current_lines(out):
            yield decode(line)[0]
    except ValueError as error:
        raise RunBroken(f"{out / RESULTS} is damaged.", "Restore the file from a copy.") from error


def load_results(out: Path) -> list[JobResult]:
    """Return all results of `read_results`."""
    return list(read_results(out))


class ResultStore:
    """The records of the batch in `out`, which only this process writes. Thread-safe.

    `digest` is the file with the digest of `results.jsonl`, if any. Raises TryLater while another process uses the
    batch, RunBroken for damaged records, UsageError for results that do not match the digest (nothing is changed then),
    WorkspaceError if they cannot be written.
    """

    def __init__(self, out: Path, digest: Path | None = None) -> None:
        self.out, self._digest = out, digest
        self.done: dict[str, JobResult] = {}
        """Final results by run, without the patches, which are on disk."""
        self.failed: dict[str, JobResult] = {}
        """Infrastructure failures by run, which are to be retried."""
        self._lock = Lock()
        self._predictions: dict[int, Predictions] = {}
        self._expected: dict[int, dict[str, bytes]] = {}
        try:
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
            what = f"Another process works on the batch in {out}."
            self._file_lock = acquire_lock(out / "batch.lock", what, "Wait for it, or stop it.")
        except OSError as error:
            raise write_error(out, error) from error
        try:
            self._open()
        except BaseException:
            self._file_lock.release()
            raise

    def _open(self) -> None:
        self._results = AppendLog(self.out / RESULTS, self._read, self._digest)
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
        self._remember(done)
        if done.final:
            predicted = encode_prediction(done.instance, model, done.patch)
            self._expected.setdefault(done.repeat, {})[done.instance] = line_digest(predicted)

    def _remember(self, done: JobResult) -> None:
        self.failed.pop(done.run, None)
        (self.done if done.final else self.failed)[done.run] = replace(done, patch="")

    def _of(self, repeat: int) -> Predictions:
        if repeat not in self._predictions:
            folder = self.out if repeat == 1 else self.out / f"repeat-{repeat}"
            found = self._predictions[repeat] = Predictions(folder, self._expected.get(repeat, {}))
            if strange := found.ids - {done.instance for done in self.done.values() if done.repeat == repeat}:
                raise RunBroken(
                    f"{folder} has a prediction for {min(strange)}, but {self.out / RESULTS} has no result for it.",
                    "Restore that file from a copy, or start another batch with --out.",
                )
        return self._predictions[repeat]

    def add(self, done: JobResult, model: str) -> bool:
        """Record a result durably. Return False if its run already has a final result; that result is kept."""
        line = encode(done, model)
        decode(line)  # ensures that the line can be read back
        with self._lock:
            if done.run in self.done:
                return False
            self._results.append(line)
            self._remember(done)
            if done.final:
                self._predict(done, model)
        return True

    def _predict(self, done: JobResult, model: str) -> None:
        self._of(done.repeat).add(done.instance, model, done.patch)

    def close(self) -> None:
        """Bring `preds.json` up to date and release the batch for other processes."""
        with self._lock:
            try:
                for predictions in self._predictions.values():
                    predictions.close()
            finally:
                self._results.close()
                self._file_lock.release()

    def __enter__(self) -> ResultStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()
