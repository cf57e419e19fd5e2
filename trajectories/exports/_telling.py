"""How exports tell what a record holds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trajectories.material import Material
from trajectories.records import Action, Observation

STRUCTURE = frozenset({"phase", "candidate", "score", "vote", "prune", "summary"})
"""Notes in which a strategy says what it does."""
OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}|errand-[0-9a-f]+")
"""What a run is called that nobody named."""
ADDRESS = re.compile(r"https?://[^/]+/([^/]+)/([^/]+)/(?:issues|pull)/(\d+)")
REPEATED = re.compile(r"(.+__.+-\d+)\.\d+")
"""The name of a later run of one instance."""


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


def instance_of(run: Material) -> str:
    """A run of a batch is named by its instance, any other by its issue's address (`octo__calc-7`) or its own name."""
    record = run.trajectory.run
    address = ADDRESS.match(record.issue.url) if record else None
    if address and OURS.fullmatch(run.name):
        return f"{address[1]}__{address[2]}-{address[3]}"
    repeated = REPEATED.fullmatch(run.name)
    return repeated[1] if repeated else run.name
