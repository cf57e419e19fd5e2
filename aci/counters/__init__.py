"""Ways to count instructions: one file a way, found by name, with `ORDER` (the lowest that works is taken) and
`ready(desk)`, which gives the tool that runs ahead of what is counted, or raises Unusable with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Desk(Protocol):
    """Where something is counted: a room, or this machine as it is. `folder` holds our own files, and exists."""

    @property
    def folder(self) -> str: ...

    def run(self, line: str, timeout: float) -> tuple[int, str]:
        """(exit status, output) of a shell line of ours."""
        ...

    def write(self, path: str, data: bytes) -> None: ...

    def read(self, path: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """The words before a command that count it, the variables it needs, and what it says of itself."""

    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)


class Unusable(Exception):
    """Why there is no counting in this way here, in one sentence."""
