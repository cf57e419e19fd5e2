"""What an interrupted search for edits has found, for the closing message of its turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agent.lifecycle.closing_text import list_found
from extensions.repair.edit_descriptions import count_passing, describe_change
from extensions.repair.search_progress import TRIED, SearchProgress

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from trajectories.records import Once

_PART = re.compile(rf"(?:^|[./]){TRIED}\d+$")


def describe_unfinished(engine: Engine, tree: str, done: Sequence[Once]) -> str:
    """Describe the edits that pass the tests so far, with the diff of the first one to `tree`; "" if there are none.
    `done` are the records of the turn."""
    parts = [one.value for one in done if _PART.search(one.name) and one.value.get("tree") == tree]
    found = SearchProgress(_Recorded(engine, parts))
    edits = found.least
    if not edits:
        return ""
    data = edits[0].apply(engine.trees.read(tree, edits[0].path))
    lines = [
        describe_change(one.path, one.line, one.function.qualname if one.function else "", one.description)
        for one in edits
    ]
    title = f"The search was ended after {found.count:,} edits; {count_passing(len(edits))}. None is proven."
    return list_found(title, lines, engine.trees.diff(tree, engine.trees.write({edits[0].path: data}, tree)))


class _Recorded:
    """The recorded parts of a search, to read."""

    def __init__(self, engine: Engine, parts: list[dict[str, Any]]) -> None:
        self._engine, self._parts = engine, parts

    def parts(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        for part in self._parts:
            try:
                yield part, self._engine.journal.recall(part["digests"])
            except FileNotFoundError:
                yield part, b""

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        raise NotImplementedError
