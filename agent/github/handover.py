"""What the solving job hands to the publishing one: one file, bound by its digest, read as a stranger's.

A tar of `outcome.json` and `patch.diff`. The journal goes as an artifact of its own: no later job but a follow-up's
solving reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1


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
    """Write the file and return its digest."""
    raise NotImplementedError


def unpack(file: Path, digest: str) -> tuple[Outcome, bytes]:
    """The outcome and the diff of both parts of the patch. Raises UsageError for a file of another digest, other
    members, or too many bytes."""
    raise NotImplementedError
