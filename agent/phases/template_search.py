"""A search for edits that make failing tests pass, without a model: what templates find, for any strategy to use."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.moves.offering import SEARCH
from agent.moves.opening import places
from agent.moves.remembering import OnRecord
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.repair.search import Found, Progress
    from agent.task import Task

SEARCH_SECONDS = 60.0
"""CPU seconds of the target, where no --max-time says how long a search may take."""
EDITS = 6
"""Behaviours that are kept with their edit."""
SUSPECTS = 5
PROOF_SECONDS, PROOF_SUITES = 8.0, 4
"""Of the time that is left, what the proof needs at least, and how often it runs about as much as the tests took."""


def searched(task: Task, tests: dict[str, Any]) -> dict[str, Any]:
    """What a search for edits finds that mend what fails, as `failing_tests` told it: as JSON, each edit as the `edit`
    tool takes it. It is on the record, and gone on with where it was cut off."""
    found: dict[str, Any] = task.once(SEARCH, lambda: _search(task, tests))
    return found


def _search(task: Task, tests: dict[str, Any]) -> dict[str, Any]:
    from aci.localize import Hit
    from agent.repair.search import Found, Question, search

    located = [
        Hit(one["path"], 0.0, name=one.get("name", ""), line=one.get("line", 0))
        for part in places(task).values()
        for one in part
    ]
    cpu_seconds, end = _budget(task, tests["seconds"])
    with closing(task.engine.fork(task.tree, task.cancel)) as workspace:  # what edits write is no part of the patch
        names = tests["failing"], tests["passing"]
        question = Question(workspace, task.trees, task.tree, *names, tests["command"], task.issue.text, located)
        try:
            found = search(question, cpu_seconds, task.cancel, _teller(task), OnRecord(task), end)
        except UsageError as error:
            found = Found(why=f"{error.message} {error.fix}")
    task.cancel.check()
    behaviours = found.choice.behaviours
    return {
        "tree": task.tree,
        "edits": [_edit(found, number) for number in range(min(EDITS, len(behaviours)))],
        "plausible": [
            {"behaviour": number, "path": one.path, "line": one.line, "what": one.description}
            | {"score": round(one.score, 4), "template": one.template}
            for number, behaviour in enumerate(behaviours)
            for one in (behaviour.candidate, *behaviour.alike)
        ],
        "telling": [[one.input, list(one.answers)] for one in found.choice.telling],
        "doubt": found.choice.doubt,
        "suspects": [(one.path, one.line, one.score, list(one.why)) for one in found.suspects[:SUSPECTS]],
        "places": found.places,
        "tried": found.tried,
        "cpu": round(found.cpu, 1),
        "seconds": round(found.seconds, 1),
        "why": found.why,
        "cut_short": found.cut_short,
    }


def _budget(task: Task, suite: float) -> tuple[float, float]:
    """CPU seconds for the search, and when it has to end: with --max-time it has all of it but what the proof needs."""
    deadline = task.cancel.deadline
    if deadline is None:
        return SEARCH_SECONDS, math.inf
    left = max(0.0, deadline - time.monotonic())
    return math.inf, deadline - min(left / 2, PROOF_SECONDS + PROOF_SUITES * suite)


def _teller(task: Task) -> Callable[[Progress], None]:
    return lambda progress: task.engine.tell("progress", task.branch, str(progress))


def _edit(found: Found, number: int) -> dict[str, Any]:
    behaviour = found.choice.behaviours[number]
    candidate = behaviour.candidate
    old, new = found.smallest_edit(candidate)
    return {
        "path": candidate.path,
        "line": candidate.line,
        "function": candidate.function.qualname if candidate.function else "",
        "description": candidate.description,
        "alike": len(behaviour.alike),
        "share": round(behaviour.share, 3),
        "why": behaviour.why,
        "doubt": behaviour.doubt,
        "special": behaviour.special,
        "old": old,
        "new": new,
    }
