"""A candidate for a task: changed files that may make tests fail."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.testing.suite_results import TestResult

Writer = Callable[["Sequence[TestResult]"], str]
"""Writes the text of an issue from the failing tests; "" if it cannot."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change of the source tree.

    `kind` is the kind of task and `operator` says how the change was made. `files` are the changed files with their new
    contents, None for a removed one. `symbols` are the changed functions and classes as `path.py:Class.method`, and
    `lines` the changed lines of the source tree by path. `must_fail` are tests that the change is known to break.
    `write_text` writes the text of the issue if it is not one about a bug.
    """

    kind: str
    operator: str
    files: Mapping[str, bytes | None]
    symbols: tuple[str, ...] = ()
    lines: Mapping[str, frozenset[int]] | None = None
    must_fail: frozenset[str] = frozenset()
    write_text: Writer | None = None

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that depend on the kind and the changed files only."""
        found = hashlib.sha256(self.kind.encode())
        for path, data in sorted(self.files.items()):
            found.update(f"\0{path}\0".encode())
            found.update(b"removed" if data is None else hashlib.sha256(data).digest())
        return found.hexdigest()[:8]


def take_turns(streams: Iterable[Iterator[Candidate]]) -> Iterator[Candidate]:
    """Yield one candidate of each stream in turn, until all have ended."""
    left = list(streams)
    while left:
        for stream in list(left):
            candidate = next(stream, None)
            if candidate is None:
                left.remove(stream)
            else:
                yield candidate
