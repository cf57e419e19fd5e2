"""Shared helpers of the export formats for steps, text and names."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from trajectories.records import Action, Observation, Record, Reply, Step
from trajectories.trajectory import RunView, Trajectory

STRUCTURE = frozenset({"phase", "candidate", "score", "vote", "prune", "summary"})
"""Kinds of notes in which a strategy records its phases, its attempts and their ratings."""
OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}|(?:task|errand)-[0-9a-f]+")
"""Pattern of generated run names."""
ADDRESS = re.compile(r"https?://[^/]+/([^/]+)/([^/]+)/(?:issues|pull)/(\d+)")
REPEATED = re.compile(r"(.+__.+-\d+)\.\d+")
"""Pattern of the names of repeated runs of one instance."""


LEFT = "The run ended before this was acted on."


def records_of(trajectory: Trajectory) -> Iterator[Record]:
    """Yield the records, and a step with an error for each reply that has no step because the process was killed."""
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
    """Yield only the steps from `records_of`."""
    return (record for record in records_of(trajectory) if isinstance(record, Step))


def unicode(text: str) -> str:
    """Replace bytes that are not UTF-8 (read as surrogates) with replacement characters, so that the text is valid
    Unicode."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def as_command(action: Action) -> str:
    """Return an action as a command line: a shell command unchanged, any other action as its tool and arguments."""
    values = list(action.arguments.values())
    if list(action.arguments) == ["command"] and isinstance(values[0], str):
        return values[0]
    return f"{action.tool} {json.dumps(action.arguments, ensure_ascii=False)}"


def observation_text(observations: Sequence[Observation]) -> str:
    return "\n\n".join(each.text for each in observations)


def instance_of(run: RunView) -> str:
    """Return a run's instance id: for a generated run name, an id from the issue's URL if there is one
    (`octo__calc-7`), otherwise the run's name without a repetition number."""
    record = run.trajectory.run
    address = ADDRESS.match(record.issue.url) if record else None
    if address and OURS.fullmatch(run.name):
        return f"{address[1]}__{address[2]}-{address[3]}"
    repeated = REPEATED.fullmatch(run.name)
    return repeated[1] if repeated else run.name
