"""How exports tell what a record holds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from trajectories.material import Material
from trajectories.records import Action, Observation, Record, Reply, Step
from trajectories.trajectory import Trajectory

STRUCTURE = frozenset({"phase", "candidate", "score", "vote", "prune", "summary"})
"""Notes in which a strategy says what it does."""
OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}|errand-[0-9a-f]+")
"""What a run is called that nobody named."""
ADDRESS = re.compile(r"https?://[^/]+/([^/]+)/([^/]+)/(?:issues|pull)/(\d+)")
REPEATED = re.compile(r"(.+__.+-\d+)\.\d+")
"""The name of a later run of one instance."""


LEFT = "The run ended before this was acted on."


def records_of(trajectory: Trajectory) -> Iterator[Record]:
    """The records, with a step for each reply that none was written for: whoever wrote it was killed."""
    acted = {(step.branch, step.reply) for step in trajectory.all_steps()}
    steps: Counter[str] = Counter()
    for record in trajectory.records:
        yield record
        if isinstance(record, Step):
            steps[record.branch] = record.n
        elif isinstance(record, Reply) and (record.branch, record.ask) not in acted:
            number, at = steps[record.branch] + 1, record.at
            yield Step(record.branch, number, "", "coder", "", record.ask, record.actions, error=LEFT, at=at)


def steps_of(trajectory: Trajectory) -> Iterator[Step]:
    """Those of `records_of`."""
    return (record for record in records_of(trajectory) if isinstance(record, Step))


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
