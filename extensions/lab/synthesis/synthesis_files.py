"""The files of a synthesis: instances, tried candidates and the bundle, locked for one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from aci.repository.proposed_patch import tree_of_diff
from extensions.lab.instances.append_log import AppendLog, write_error
from extensions.lab.synthesis.source_repository import SourceRepository
from extensions.lab.synthesis.task_bundle import commit_tree, write_bundle
from extensions.lab.synthesis.task_instance import Row
from trajectories.errors import UsageError
from trajectories.file_limits import acquire_lock

OTHER_FILE = "Choose another --out."


class SynthesisFiles:
    """The rows in `out`, and beside it the candidates that were tried with this test command; see `open_files`.

    `commits` are the bases of the instances by id, `tried` the notes of the candidates by id.
    """

    def __init__(self, out: Path, source: SourceRepository, test: str) -> None:
        self._out, self._source, self._test = out, source, test
        self.commits: dict[str, str] = {}
        self.tried: dict[str, dict[str, Any]] = {}
        _refuse_foreign_end(out)
        self._rows = AppendLog(out, self._complete(self._read_row, out))
        try:
            self._notes = AppendLog(tried_file(out), self._complete(self._read_note, tried_file(out)))
        except BaseException:
            self._rows.close()
            raise

    def add_row(self, row: Row) -> None:
        self._rows.append(_line(row))
        self._source.instances.append(row)
        self.commits[row["instance_id"]] = row["base_commit"]

    def add_note(self, id: str, kind: str, operator: str, result: str) -> None:
        """Record the result of a candidate."""
        note = {"id": id, "kind": kind, "operator": operator, "result": result}
        self._notes.append(_line({**note, "source_commit": self._source.commit, "test": self._test}))
        self.tried[id] = note

    def write_bundle(self) -> None:
        if self.commits:
            write_bundle(self._source.trees, self.commits, bundle_file(self._out))

    def close(self) -> None:
        self._rows.close()
        self._notes.close()

    def _complete(self, read: Callable[[dict[str, Any]], None], path: Path) -> Callable[[bytes], None]:
        """Return a reader of complete lines: one that cannot be read was not written by this program, so it is refused
        and not cut off."""

        def read_line(line: bytes) -> None:
            try:
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise TypeError("no object")
                read(value)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise self._refusal(path) from None

        return read_line

    def _refusal(self, path: Path) -> UsageError:
        return UsageError(f"{path} holds other rows than tasks of {self._source}.", OTHER_FILE)

    def _read_note(self, note: dict[str, Any]) -> None:
        if note["source_commit"] != self._source.commit:
            raise self._refusal(tried_file(self._out))
        if note["test"] != self._test:
            what = f"{tried_file(self._out)} has results of another test command: {note['test'] or 'the detected one'}."
            raise UsageError(what, "Give the same --test, or choose another --out.")
        self.tried[note["id"]] = {name: note[name] for name in ("id", "kind", "operator", "result")}

    def _read_row(self, row: Row) -> None:
        """Take over an instance of an earlier call: its tree is made again from its change."""
        source, id = self._source, row["instance_id"]
        if row["source_commit"] != source.commit:
            raise self._refusal(self._out)
        tree = tree_of_diff(source.repository, source.trees, source.commit, row["mutation_patch"])
        commit = commit_tree(source.trees, tree, source.created_at)
        if commit != row["base_commit"]:
            raise UsageError(f"The base of {id} in {self._out} differs from its mutation_patch.", OTHER_FILE)
        self.commits[id] = commit
        source.instances.append(row)


@contextmanager
def open_files(out: Path, source: SourceRepository, test: str) -> Iterator[SynthesisFiles]:
    """Open and lock the files.

    Raises TryLater if another process uses them, UsageError if they hold something else, which stays unchanged, and
    WorkspaceError if they cannot be read or written.
    """
    what = f"Another process is making tasks in {out}."
    try:
        lock = acquire_lock(out.with_name(f".{out.name}.lock"), what, "Wait for it, or choose another --out.")
    except OSError as error:
        raise write_error(out, error) from error
    try:
        with closing(SynthesisFiles(out, source, test)) as files:
            yield files
    finally:
        lock.release()


def check_out(out: Path) -> None:
    """Raise UsageError for a path that cannot hold the instances; the other files have the same name with other
    endings."""
    if out.suffix != ".jsonl" or out.stem.endswith(".tried"):
        raise UsageError(f"--out {out} does not end in .jsonl, or is a list of tried candidates.", "Give tasks.jsonl.")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} of --out does not exist.", "Create it, or choose another --out.")
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder.", "Give a file, such as tasks.jsonl.")
    kinds = {out: S_ISREG, tried_file(out): S_ISREG, bundle_file(out): S_ISREG, questions_folder(out): S_ISDIR}
    for path, is_kind in kinds.items():
        with suppress(FileNotFoundError):
            if not is_kind(path.lstat().st_mode):
                raise UsageError(f"{path} is a link, a pipe, or another kind of file than synth writes.", OTHER_FILE)


def tried_file(out: Path) -> Path:
    """Return the file that lists the candidates that were tried."""
    return out.with_suffix(".tried.jsonl")


def questions_folder(out: Path) -> Path:
    """Return the folder with the journal of the model's answers."""
    return out.with_suffix(".questions")


def bundle_file(out: Path) -> Path:
    """Return the bundle with the bases of the instances."""
    return out.with_suffix(".bundle")


def _refuse_foreign_end(out: Path) -> None:
    """Refuse a file with an incomplete line that is not from an interrupted job: it would be cut off."""
    try:
        data = out.read_bytes() if out.exists() else b""
    except OSError as error:
        raise write_error(out, error) from error
    if data and not data.endswith(b"\n") and not tried_file(out).exists():
        raise UsageError(f"{out} has an incomplete last line, and was not written by synth.", OTHER_FILE)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
