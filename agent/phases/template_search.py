"""A search, without a model, for template edits that make failing tests pass; any strategy can use it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.phases.offered_edits import SEARCH
from agent.phases.search_record import SearchRecord
from agent.prompts.opening_prompt import places
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.repair.candidate_evaluator import Candidate
    from agent.engine.task import Task
    from agent.repair.repair_search import Progress, SearchResult

SEARCH_SECONDS = 60.0
"""Maximum CPU time of a search in seconds if `--max-time` is not given."""
EDITS = 6
"""Maximum number of different behaviours for which an edit is kept."""
SUSPECTS, RANKED = 5, 60
"""Numbers of suspects that are shown and that are recorded."""
CLOZE_SECONDS = 20.0
"""CPU seconds for a model's fillings, in addition to those of the search without them."""
PROOF_SECONDS, PROOF_SUITES = 8.0, 4
"""Estimated time of the proof: a constant number of seconds, plus this many times the duration of the search's test
run."""


def search_templates(
    task: Task, tests: dict[str, Any], end: float, fillings: Sequence[Candidate] = ()
) -> dict[str, Any]:
    """Search for edits that fix the failing tests that `failing_tests` returned.

    The result can be stored as JSON; each edit has the arguments of the `edit` tool. The search is recorded and can be
    resumed. With `fillings`, it continues the search without them. `end` is the result of `search_end`.
    """
    name = f"cloze.{SEARCH}" if fillings else SEARCH
    found: dict[str, Any] = task.once(name, lambda: _search(task, tests, end, fillings))
    return found


def _search(task: Task, tests: dict[str, Any], end: float, fillings: Sequence[Candidate]) -> dict[str, Any]:
    from aci.localization.place_ranking import RankedPlace
    from agent.repair.repair_search import RepairTask, SearchResult, search

    located = [
        RankedPlace(one["path"], 0.0, name=one.get("name", ""), line=one.get("line", 0))
        for part in places(task.branch).values()
        for one in part
    ]
    cpu_seconds = SEARCH_SECONDS if end == math.inf else math.inf
    # Files that the edited code writes must not become part of the patch.
    with closing(task.branch.place.fork(task.tree)) as workspace:
        names = tests["failing"], tests["passing"]
        question = RepairTask(workspace, task.trees, task.tree, *names, tests["command"], task.turn.issue.text, located)
        try:
            found = search(
                question,
                cpu_seconds + (CLOZE_SECONDS if fillings else 0.0),
                task.branch.cancel,
                _progress_reporter(task),
                SearchRecord(task),
                end,
                fillings,
            )
        except UsageError as error:
            found = SearchResult(why=f"{error.message} {error.fix}")
    task.branch.cancel.check()
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
        "ranked": [(one.path, one.line, one.score) for one in found.suspects[:RANKED]],
        "places": found.places,
        "tried": found.tried,
        "cpu": round(found.cpu, 1),
        "seconds": round(found.seconds, 1),
        "why": found.why,
        "cut_short": found.cut_short,
    }


def search_end(task: Task, suite: float) -> float:
    """Return the deadline of all searches before a proof, in seconds of the monotonic clock.

    With `--max-time`, they get all the time that the proof does not need. `suite` is the duration of a test run.
    """
    deadline = task.branch.cancel.deadline
    if deadline is None:
        return math.inf
    left = max(0.0, deadline - time.monotonic())
    return deadline - min(left / 2, PROOF_SECONDS + PROOF_SUITES * suite)


def _progress_reporter(task: Task) -> Callable[[Progress], None]:
    return lambda progress: task.branch.engine.report("progress", task.branch.name, str(progress))


def _edit(found: SearchResult, number: int) -> dict[str, Any]:
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
