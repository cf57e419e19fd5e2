"""The result file that the solve job passes to the publish job: untrusted, identified by its digest.

It is a tar of `outcome.json` and `patch.diff`. The journal is a separate artifact, which only the solve job of a
follow-up reads.

Nothing is unpacked to disk. A file is accepted only if packing its content again gives the same bytes, which rules out
links, paths, modes, further members and other formats.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from extensions.github.task.outcome_schema import OutcomeSchema
from trajectories.errors import UsageError, WorkspaceError
from trajectories.journal import write_durably

VERSION = 1
MEMBERS = ("outcome.json", "patch.diff")
MOST_BYTES = 30_000_000
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
AGAIN = "Run the whole workflow again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended.

    `errand` is the digest of the task's file, `result` the object of `fix --json` without its patch, and `exit` its
    exit code, with which all other published fields must agree.

    For people: `title` names the change in a few words; `cause` and `change` say what was wrong and what was done, in a
    sentence or two by the model or the strategy; `answer` is the text of an answer without a patch. If nothing is
    proven, `places` are the most likely locations of the fault (path, line, name, why), `tried` has a line for each
    failed attempt, and `red_test` is a diff that adds the test that shows the issue ("" without one). `attempts` lists
    instructions to the agent that were found in text from strangers, the repository and tools.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

    errand: str
    exit: int
    result: Mapping[str, Any]
    base: str
    model: str = ""
    title: str = ""
    cause: str = ""
    change: str = ""
    answer: str = ""
    places: tuple[Mapping[str, Any], ...] = ()
    tried: tuple[str, ...] = ()
    red_test: str = ""
    attempts: tuple[str, ...] = ()
    changelog: str = ""
    """The path of the changelog entry, which is part of the patch but was not part of the proof; "" without one."""
    questions: tuple[tuple[str, ...], ...] = ()
    """The model's questions, each followed by its options, if the run waits for an answer."""
    version: int = VERSION


def pack(outcome: Outcome, diff: bytes, file: Path) -> str:
    """Write the file and return its digest. Raises WorkspaceError."""
    outcome_json = json.dumps(asdict(outcome), ensure_ascii=False, indent=1).encode("utf-8", "replace")
    data = _tar(outcome_json, diff)
    try:
        write_durably(file, data)
    except OSError as error:
        raise WorkspaceError(f"The result file cannot be written: {error.strerror}.", "Free disk space.") from error
    return sha256(data).hexdigest()


def unpack(file: Path, digest: str) -> tuple[Outcome, bytes]:
    """Return the outcome and the diff. Raises UsageError for another digest, other members, or too many bytes."""
    data = _data(file)
    if sha256(data).hexdigest() != digest:
        raise UsageError(f"{file} is not the file that the solve job wrote.", AGAIN)
    return _parse(data, file)


def read_result(file: Path) -> tuple[Outcome, bytes]:
    """Return the outcome and the diff of a file that no digest identifies. Raises UsageError as `unpack` does."""
    return _parse(_data(file), file)


def _data(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The result file {file} cannot be read: {error.strerror}.", AGAIN) from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{file} is not the file that the solve job wrote.", AGAIN)
    return data


def _parse(data: bytes, file: Path) -> tuple[Outcome, bytes]:
    from pydantic import TypeAdapter, ValidationError

    outcome_json, diff = _members(data, file)
    try:
        outcome: Outcome = TypeAdapter(Outcome).validate_json(outcome_json)
        OutcomeSchema.model_validate_json(
            json.dumps({name: getattr(outcome, name) for name in OutcomeSchema.model_fields})
        )
    except ValidationError as error:
        problem = error.errors()[0]
        # The name of an unknown field is untrusted text.
        known = problem["loc"][: -1 if problem["type"] in UNKNOWN else None]
        where = ".".join(map(str, known)) or "its structure"
        raise UsageError(f"The result file {file} is invalid in {where}: {problem['msg'][:200]}.", AGAIN) from None
    if outcome.version != VERSION:
        raise UsageError(f"The result file {file} has version {outcome.version}.", "Use one version in all jobs.")
    return outcome, diff


def _tar(*parts: bytes) -> bytes:
    """Return the tar; identical parts give identical bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in zip(MEMBERS, parts, strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def _members(data: bytes, file: Path) -> tuple[bytes, bytes]:
    try:
        first, at = _member(data, 0)
        second, _ = _member(data, at)
    except (tarfile.TarError, ValueError):
        first = second = b""
    if _tar(first, second) != data:
        raise UsageError(f"{file} does not consist of {' and '.join(MEMBERS)}.", AGAIN)
    return first, second


def _member(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the data after the header at `at`, and the position of the next header."""
    begin = at + tarfile.BLOCKSIZE
    size = tarfile.TarInfo.frombuf(data[at:begin], "ascii", "strict").size
    if not 0 <= size <= len(data):
        raise ValueError
    return data[begin : begin + size], begin + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
