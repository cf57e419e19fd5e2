"""How exports tell what a record holds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trajectories.records import Action, Observation

STRUCTURE = frozenset({"phase", "candidate", "score", "vote", "prune", "summary"})
"""Notes in which a strategy says what it does."""


def unicode(text: str) -> str:
    """Text that every reader takes: what was no UTF-8 in a file is marked."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def as_command(action: Action) -> str:
    """A call in a line of its own, as a shell's would be: a command as it stands, any other by its name."""
    values = list(action.arguments.values())
    if list(action.arguments) == ["command"] and isinstance(values[0], str):
        return values[0]
    return f"{action.tool} {json.dumps(action.arguments, ensure_ascii=False)}"


def seen(observations: Sequence[Observation]) -> str:
    return "\n\n".join(each.text for each in observations)
