"""The record of a search: the edits that it tried, so that a resumed run does not try them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from extensions.repair.search_progress import TRIED

if TYPE_CHECKING:
    from agent.engine.task import Task


class SearchRecord:
    """The edits tried in this turn, recorded in parts; the digests of the edits are stored as outputs of the run."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def parts(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        for part in self._task.branch.known(TRIED).values():
            try:
                yield part, self._task.branch.engine.journal.recall(part["digests"])
            except FileNotFoundError:  # the file of digests was removed, so this part is tried again
                continue

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        number = len(self._task.branch.known(TRIED))
        out = self._task.branch.engine.journal.keep(digests)
        self._task.once(f"{TRIED}{number}", lambda: {**part, "digests": out, "tree": self._task.tree}, late=True)
