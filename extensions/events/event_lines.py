"""The types of the lines of an event stream: a record of a journal, progress between two records, or an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from aci.observation.secret_masking import mask_secrets
from agent.run_state.progress_event import ProgressEvent
from trajectories.records import Record

VERSION = 1
"""The version of the form of a line. Fields and types may be added without a new version."""

_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """A line of an event stream.

    `at` is the time in seconds since 1970, and `run` the run's name; it is "" for an error before a run exists. In a
    batch, `instance` and `repeat` name the job of the run; other lines do not have these fields.
    """

    at: float
    run: str
    instance: str | None = None
    repeat: int | None = None
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine(EventLine):
    """A record of the run's journal, written when the record is on disk. `record` is the line of the journal.

    For a new run, the stream contains all records. For a resumed run, the stream begins with the `run` record and the
    last `turn` record.
    """

    type: Literal["run", "turn", "hold", "settle", "reply", "step", "once", "note", "exit"]
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine(EventLine):
    """A request to a model starts, or its reply is complete. `role` is the role that the model plays, such as `coder`
    or `reviewer`, when the request starts, and "" when the reply is complete."""

    branch: str
    status: Literal["started", "completed"]
    role: str
    type: Literal["request"] = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaLine(EventLine):
    """Text of a reply while the reply arrives, in whole lines. These lines are written only with `--deltas`."""

    branch: str
    text: str
    type: Literal["delta"] = "delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLine(EventLine):
    """A tool starts, has printed output, or has ended. `text` describes the tool's work, or contains the last lines of
    its output so far. The next `step` contains the complete result."""

    branch: str
    status: Literal["started", "output", "completed", "failed"]
    text: str
    type: Literal["tool"] = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLine(EventLine):
    """Progress of a proof. The result of the proof is in a `step` with the author `proof`."""

    text: str
    type: Literal["proof"] = "proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine(EventLine):
    """Other progress, as text for people."""

    branch: str
    text: str
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine(EventLine):
    """An error that stopped a run or prevented the run from starting. A run that was stopped in this way has no `exit`
    record and can be resumed. `code` is the exit code of a command that performs only this run."""

    code: int
    message: str
    fix: str
    type: Literal["error"] = "error"


Line = RecordLine | RequestLine | DeltaLine | ToolLine | ProofLine | ProgressLine | ErrorLine

PROOF = "proof"
"""The branch of messages about a proof."""
REQUESTS: dict[str, Literal["started", "completed"]] = {"ask": "started", "replied": "completed"}
TOOLS: dict[str, Literal["started", "output", "completed", "failed"]] = {
    "action": "started",
    "output": "output",
    "done": "completed",
    "failed": "failed",
}


def progress_line(at: float, run: str, event: ProgressEvent, secrets: Sequence[str]) -> Line | None:
    """Return the line for a progress event, with secrets masked; None for a note, which is a record as well."""
    text = mask_secrets(event.text, secrets)
    if event.kind in REQUESTS:
        return RequestLine(at=at, run=run, branch=event.branch, status=REQUESTS[event.kind], role=text)
    if event.kind in TOOLS:
        return ToolLine(at=at, run=run, branch=event.branch, status=TOOLS[event.kind], text=text)
    if event.kind == "delta":
        return DeltaLine(at=at, run=run, branch=event.branch, text=text)
    if event.kind not in ("say", "progress"):
        return None
    if event.branch == PROOF:
        return ProofLine(at=at, run=run, text=text)
    return ProgressLine(at=at, run=run, branch=event.branch, text=text)


def encode_line(line: Line) -> bytes:
    """Return a line as JSON, with `v` and `type` first. Invalid Unicode is replaced. Characters other than
    ASCII are escaped, since a terminal obeys some of them."""
    import json

    values = {field.name: getattr(line, field.name) for field in fields(line) if field.name != "record"}
    first = {"v": line.v, "type": line.type}
    found = first | {name: value for name, value in values.items() if value is not None}
    head = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if isinstance(line, RecordLine):
        from trajectories.journal import encode

        head = head[:-1] + b',"record":' + encode(line.record)[:-1] + b"}"
    return _NOT_ASCII.sub(lambda found: json.dumps(found.group())[1:-1], head.decode()).encode() + b"\n"
