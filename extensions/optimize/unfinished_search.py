"""What an interrupted search for rewrites has found, for the closing message of its turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.lifecycle.closing_text import list_found

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from trajectories.records import Once

_JUDGED = re.compile(r"(?:^|[./])judge ")
"""Matches the name under which the verdict on a rewrite is recorded, after the turn's number."""


def describe_unfinished(engine: Engine, tree: str, done: Sequence[Once]) -> str:
    """Describe the rewrites that give the same results so far, with the diff of the first one to `tree`; "" if there
    are none. `done` are the records of the turn."""
    judged = [one.value for one in done if _JUDGED.search(one.name)]
    right = sorted((one for one in judged if one["status"] == "right"), key=_instructions)
    if not right:
        return ""
    title = "The search was ended. These rewrites give the same results so far; the final checks were not made."
    lines = [f"{one['what']}: {_instructions(one):,} instructions." for one in right]
    return list_found(title, lines, engine.trees.diff(tree, right[0]["tree"]))


def _instructions(judged: dict[str, Any]) -> int:
    """Return the number by which rewrites are ranked; earlier versions counted no large call."""
    return int(judged.get("large") or judged["cost"])
