"""What the solving job hands to the publishing one: one file, bound by its digest, read as a stranger's.

A tar of `outcome.json` and `patch.diff`. The journal goes as an artifact of its own: no later job but a follow-up's
solving reads it.

Nothing is unpacked to a disk, and a file is taken only if packing what was read of it gives the same bytes: so there
are no links, paths, modes, further members or formats to think about.
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

from agent.github.schema import Told
from trajectories.errors import UsageError, WorkspaceError
from trajectories.journal import write_durably

VERSION = 1
MEMBERS = ("outcome.json", "patch.diff")
MOST_BYTES = 30_000_000
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
AGAIN = "Run the whole workflow again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an errand ended. `errand` is the digest of its file, `result` the object of `fix --json` without its patch,
    `exit` its exit code: all that is published agrees with it.

    For people: `title` names the change in a few words, `cause` and `change` say what was wrong and what was done
    (each a sentence or two, as the model or the strategy said it), `answer` is what is answered in words only.
    Where there is no patch: `places` are the likeliest (path, line, name, why), `tried` what was done in vain, a line
    each, and `red_test` a diff that adds the test that shows the issue ("" without one).
    `attempts` names instructions to the agent that were found in what strangers, repository and tools said.
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
    """The path of the changelog entry that is part of the patch and not of what was proven; "" without one."""
    version: int = VERSION


def pack(outcome: Outcome, diff: bytes, file: Path) -> str:
    """Write the file and return its digest. Raises WorkspaceError."""
    told = json.dumps(asdict(outcome), ensure_ascii=False, indent=1).encode("utf-8", "replace")
    data = _tar(told, diff)
    try:
        write_durably(file, data)
    except OSError as error:
        raise WorkspaceError(f"The handover cannot be written: {error.strerror}.", "Make room for it.") from error
    return sha256(data).hexdigest()


def unpack(file: Path, digest: str) -> tuple[Outcome, bytes]:
    """The outcome and the diff of both parts of the patch. Raises UsageError for a file of another digest, other
    members, or too many bytes."""
    from pydantic import TypeAdapter, ValidationError

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The handover {file} cannot be read: {error.strerror}.", AGAIN) from None
    if len(data) > MOST_BYTES or sha256(data).hexdigest() != digest:
        raise UsageError(f"{file} is not what the solving job wrote.", AGAIN)
    told, diff = _members(data, file)
    try:
        outcome: Outcome = TypeAdapter(Outcome).validate_json(told)
        Told.model_validate_json(json.dumps({name: getattr(outcome, name) for name in Told.model_fields}))
    except ValidationError as error:
        problem = error.errors()[0]
        known = problem["loc"][: -1 if problem["type"] in UNKNOWN else None]  # a name that is not ours is a stranger's
        where = ".".join(map(str, known)) or "its form"
        raise UsageError(f"The handover {file} has a fault in {where}: {problem['msg'][:200]}.", AGAIN) from None
    if outcome.version != VERSION:
        raise UsageError(f"The handover {file} is of version {outcome.version}.", "Use one version in all jobs.")
    return outcome, diff


def _tar(*parts: bytes) -> bytes:
    """Equal parts make equal bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in zip(MEMBERS, parts, strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def _members(data: bytes, file: Path) -> tuple[bytes, bytes]:
    try:
        first, at = _next(data, 0)
        second, _ = _next(data, at)
    except (tarfile.TarError, ValueError):
        first = second = b""
    if _tar(first, second) != data:
        raise UsageError(f"{file} holds something else than {' and '.join(MEMBERS)}.", AGAIN)
    return first, second


def _next(data: bytes, at: int) -> tuple[bytes, int]:
    """What is behind the header at `at`, and where the next one begins."""
    begin = at + tarfile.BLOCKSIZE
    size = tarfile.TarInfo.frombuf(data[at:begin], "ascii", "strict").size
    if not 0 <= size <= len(data):
        raise ValueError
    return data[begin : begin + size], begin + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
