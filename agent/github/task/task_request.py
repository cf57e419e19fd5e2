"""What the gate lets through: all that the later jobs know of who asked for what. A file, bound by its digest.

Everything in it is as it was when it was asked for. Whatever of it strangers wrote is data.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from agent.github.masking import masked
from trajectories.errors import UsageError
from trajectories.journal import write_durably
from trajectories.records import Comment, Issue

VERSION = 1
MOST_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Errand:
    """`number` is the issue's, or for a `follow-up` the pull request's. `asked_by` may write to the repository, or is
    a stranger whose new issue the owner wants worked on; `request` are their words after the command.

    `base` is the commit to start from: the default branch's for a fix, the pull request's head for a follow-up, whose
    `branch` it is. `thread` is what is to be answered there. `parent_run` is the number of the workflow's run that
    holds the earlier journal ("" if none is known), `budget` what this run may spend in dollars.
    """

    kind: Literal["fix", "follow-up"]
    repository: str
    number: int
    issue: Issue
    asked_by: str
    at: str
    base: str
    target: str
    """The branch that a pull request asks to be merged into."""
    budget: float
    request: str = ""
    branch: str = ""
    thread: tuple[Comment, ...] = ()
    parent_run: str = ""
    reply_to: int = 0
    """The first comment of the review thread in which it was asked; 0 where that was elsewhere."""
    policies: tuple[str, ...] = ()
    """Addresses of what the repository says of contributions by an AI."""
    attempt: str = ""
    """Which time it was that the workflow was run; "" outside of one. What is held is held for that one."""
    version: int = VERSION


def write(errand: Errand, file: Path) -> str:
    """Write it, without keys that somebody pasted, and return its digest."""
    data = json.dumps(masked(asdict(errand)), ensure_ascii=False, indent=1).encode("utf-8", "replace")
    write_durably(file, data)
    return sha256(data).hexdigest()


def read(file: Path, digest: str) -> Errand:
    """The errand that the gate wrote. Raises UsageError for a file that is not the one of that digest."""
    from pydantic import TypeAdapter, ValidationError

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES or sha256(data).hexdigest() != digest:
            raise UsageError(f"{file} is not what the gate wrote.", "Run the whole workflow again.")
        found: Errand = TypeAdapter(Errand).validate_json(data)
    except OSError as error:
        raise UsageError(f"The errand {file} cannot be read: {error.strerror}.", "Run the workflow again.") from None
    except ValidationError as error:
        raise UsageError(f"The errand {file} has a fault: {error.errors()[0]['msg']}.", "Update swe-agent.") from None
    if found.version != VERSION:
        raise UsageError(f"The errand {file} is of version {found.version}.", "Use one version in all jobs.")
    return found
