"""The task that the gate passes to the later jobs: who asked for what, in a file identified by its digest.

It holds the state at the time of the request. Text from strangers in it must be treated as data, not as instructions.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from extensions.github.task.secret_masking import mask_keys
from trajectories.errors import UsageError
from trajectories.journal import write_durably
from trajectories.records import Comment, Issue

VERSION = 1
MOST_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A request to fix an issue, or to follow up in a pull request.

    `number` is that of the issue, or for a `follow-up` that of the pull request. `asked_by` has write access to the
    repository, or is a stranger whose new issue the owner allows to be worked on; `request` is their text after the
    command.

    `base` is the commit to start from: the head of the default branch for a fix, the head of the pull request for a
    follow-up, with its `branch`. `thread` holds the comments to answer. `parent_run` is the number of the workflow run
    that has the earlier journal ("" if none is known), and `budget` is the maximum amount in dollars for this run.
    """

    kind: Literal["fix", "follow-up"]
    repository: str
    number: int
    issue: Issue
    asked_by: str
    at: str
    base: str
    target: str
    """The branch that a pull request is to be merged into."""
    budget: float
    request: str = ""
    branch: str = ""
    thread: tuple[Comment, ...] = ()
    parent_run: str = ""
    reply_to: int = 0
    """Id of the first comment of the review thread that holds the request; 0 if the request was made elsewhere."""
    policies: tuple[str, ...] = ()
    """URLs of the repository's policies on AI-written contributions."""
    attempt: str = ""
    """The attempt number of the workflow run; "" outside of one. The reserved budget is for this attempt only."""
    logs: tuple[Comment, ...] = ()
    """The ends of the logs of failed CI jobs, for a follow-up that starts because CI failed."""
    ci_run: str = ""
    """URL of the CI run that failed; "" for a request by a person."""
    may_ask: bool = False
    """Whether the model may ask questions, which end the run until somebody answers them."""
    is_answer: bool = False
    """Whether `thread` is the answer to the questions of the run `parent_run`, which is continued."""
    version: int = VERSION


def write(task: TaskRequest, file: Path) -> str:
    """Write the task, with pasted keys masked, and return the file's digest."""
    data = json.dumps(mask_keys(asdict(task)), ensure_ascii=False, indent=1).encode("utf-8", "replace")
    write_durably(file, data)
    return sha256(data).hexdigest()


def read(file: Path, digest: str) -> TaskRequest:
    """Return the task that the gate wrote. Raises UsageError for a file with another digest."""
    from pydantic import TypeAdapter, ValidationError

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES or sha256(data).hexdigest() != digest:
            raise UsageError(f"{file} is not the file that the gate wrote.", "Run the whole workflow again.")
        found: TaskRequest = TypeAdapter(TaskRequest).validate_json(data)
    except OSError as error:
        raise UsageError(f"The task file {file} cannot be read: {error.strerror}.", "Run the workflow again.") from None
    except ValidationError as error:
        raise UsageError(f"The task file {file} is invalid: {error.errors()[0]['msg']}.", "Update swe-agent.") from None
    if found.version != VERSION:
        raise UsageError(f"The task file {file} has version {found.version}.", "Use one version in all jobs.")
    return found
