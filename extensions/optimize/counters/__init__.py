"""Backends that count instructions, one per module, imported from this package by name.

Each module has `ORDER` (the usable backend with the lowest value is used) and `ready(host)`, which returns the tool
that runs the counted command, or raises CounterUnusable with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class CountHost(Protocol):
    """The place where instructions are counted: a container, or this machine.

    `folder` is an existing folder for the agent's own files.
    """

    @property
    def folder(self) -> str: ...

    def run(self, line: str, timeout: float) -> tuple[int, str]:
        """Run a shell command of the agent; return (exit status, output)."""
        ...

    def write(self, path: str, data: bytes) -> None: ...

    def read(self, path: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """A counting tool: the prefix of a counted command, the variables it needs, and its entries in a report."""

    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)


class CounterUnusable(Exception):
    """The reason why a backend cannot be used here, in one sentence."""
