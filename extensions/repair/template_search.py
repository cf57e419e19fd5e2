"""A search, without a model, for template edits that make failing tests pass; any strategy can use it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.phases.base_failures import related_tests
from agent.prompts.opening_prompt import places
from extensions.repair.offered_edits import SEARCH
from extensions.repair.search_record import SearchRecord
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.task import Task
    from extensions.experiment.evaluator.candidate_evaluator import Candidate
    from extensions.repair.repair_search import Progress, RepairTask, SearchResult

SEARCH_SECONDS = 60.0
"""Maximum CPU time of a search in seconds if `--max-time` is not given."""
EDITS = 6
"""Maximum number of different behaviours for which an edit is kept."""
SUSPECTS, RANKED = 5, 60
"""Numbers of suspects that are shown and that are recorded."""
CLOZE_SECONDS = 20.0
"""CPU seconds for a model's fillings, in addition to those of the search without them."""
PROOF_SECONDS, PROOF_SUITES, PROOF_SHARE = 8.0, 4, 0.25
"""Estimated time of the proof: a constant number of seconds, plus this many times the duration of the search's test
run; at least this share of the time left, since that run may be of a single test."""


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
    from extensions.repair.repair_search import RepairTask, SearchResult, search

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
            if tests.get("given") and len(found.choice.behaviours) > 1 and time.monotonic() < end:
                found = _drop_edits_that_break_tests(task, question, found, tests["given"], end)
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


def _drop_edits_that_break_tests(
    task: Task, question: RepairTask, found: SearchResult, given: Sequence[str], end: float
) -> SearchResult:
    """Return the result without the plausible edits that break related tests; the search itself only ran the tests in
    the files of the given ones."""
    from extensions.repair.repair_search import search

    _progress_reporter(task)("running related tests to tell the plausible edits apart")
    edits = [one for behaviour in found.choice.behaviours for one in (behaviour.candidate, *behaviour.alike)]
    try:
        related = related_tests(task, question.command, given, end - time.monotonic())
        wider = replace(question, passing=list(dict.fromkeys([*question.passing, *related])))
        left = search(wider, math.inf, task.branch.cancel, _progress_reporter(task), end=end, fillings=edits)
    except UsageError:
        return found
    if not left.choice.behaviours:  # no time, or all break a test: the proof says which
        return found
    cpu, seconds = found.cpu + left.cpu, found.seconds + left.seconds
    return replace(found, choice=left.choice, sources=left.sources, originals=left.originals, cpu=cpu, seconds=seconds)


def search_end(task: Task, suite: float) -> float:
    """Return the deadline of all searches before a proof, in seconds of the monotonic clock.

    With `--max-time`, they get all the time that the proof does not need. `suite` is the duration of a test run.
    """
    deadline = task.branch.cancel.deadline
    if deadline is None:
        return math.inf
    left = max(0.0, deadline - time.monotonic())
    return deadline - min(left / 2, max(PROOF_SECONDS + PROOF_SUITES * suite, PROOF_SHARE * left))


def _progress_reporter(task: Task) -> Callable[[Progress | str], None]:
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
