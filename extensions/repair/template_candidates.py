"""Template edits as candidates in addition to those of models, without requests to a model."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from agent.candidates.diverse_attempts import Candidate, attempts
from agent.phases.base_failures import failing_tests
from agent.prompts.opening_prompt import likely_sources
from extensions.repair.edit_descriptions import LETTERS, count_passing, describe_change
from extensions.repair.offered_edits import apply_edit
from extensions.repair.template_search import search_end, search_templates

if TYPE_CHECKING:
    from agent.engine.parallel_attempts import Attempt
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

NAMED = re.compile(r"\btest_\w+|\w::\w|\btest[A-Z]\w+")
"""The name of a test in an issue."""
MOST = 2
"""Maximum number of edits that are added to the attempts; a proof is run for each."""


def candidates(task: Task, given: Sequence[str]) -> Generator[Step, None, list[Candidate]]:
    """Return edits that behave differently and pass the tests that show the issue.

    Returns an empty result unless failing tests are given or named in the issue.
    """
    if not given and not NAMED.search(task.turn.issue.text):
        return []
    task.note("phase", "templates")
    tests = task.once("tests", lambda: failing_tests(task, given))
    task.note("summary", tests["summary"])
    if not tests["failing"]:
        return []
    task.branch.needs_test = False  # the failing tests may reproduce the issue
    found = search_templates(task, tests, search_end(task, tests["seconds"]))
    task.note("summary", f"{found['tried']:,} edits tried, {count_passing(len(found['plausible']))}")
    places = range(min(MOST, len(found["edits"])))
    return (yield from attempts(task, [_attempt(task, found, place, given) for place in places]))


def _attempt(task: Task, found: dict[str, Any], place: int, given: Sequence[str]) -> Attempt:
    edit, likely = found["edits"][place], likely_sources(task.branch)
    what = describe_change(edit["path"], edit["line"], edit["function"], edit["description"])

    def solve(own: Task) -> Generator[Step, None, Outcome]:
        yield own.adopt(apply_edit(own.trees, own.tree, found, place), what, "templates")
        yield from own.prove(given, likely, doubt=edit["doubt"], fitted=True)
        return own.best()

    return task.attempt(f"template-{LETTERS[place].lower()}", solve)
