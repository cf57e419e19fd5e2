"""Edits of templates as candidates beside those of models: they cost no request."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from agent.moves.attempting import Candidate, attempts
from agent.moves.failing import failing_tests
from agent.moves.offering import with_edit
from agent.moves.opening import likely_sources
from agent.moves.searching import searched
from agent.repair.words import LETTERS, changed

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.parallel import Attempt
    from agent.task import Task
    from trajectories.records import Step

NAMED = re.compile(r"\btest_\w+|\w::\w|\btest[A-Z]\w+")
"""A test's name in an issue."""
MOST = 2
"""Edits that are put beside the attempts; each is proven."""


def templated(task: Task, given: Sequence[str]) -> Generator[Step, None, list[Candidate]]:
    """The edits that behave differently and make the tests pass that show the issue; none where no test is given that
    fails, or named in the issue."""
    if not given and not NAMED.search(task.issue.text):
        return []
    task.note("phase", "templates")
    tests = task.once("tests", lambda: failing_tests(task, given))
    task.note("summary", tests["summary"])
    if not tests["failing"]:
        return []
    found = searched(task, tests)
    task.note("summary", f"{found['tried']:,} edits tried, {len(found['plausible'])} pass the tests")
    places = range(min(MOST, len(found["edits"])))
    return (yield from attempts(task, [_attempt(task, found, place, given) for place in places]))


def _attempt(task: Task, found: dict[str, Any], place: int, given: Sequence[str]) -> Attempt:
    edit, likely = found["edits"][place], likely_sources(task)
    what = changed(edit["path"], edit["line"], edit["function"], edit["description"])

    def solve(own: Task) -> Generator[Step, None, Outcome]:
        yield own.adopt(with_edit(own.trees, own.tree, found, place), what, "templates")
        yield from own.prove(given, likely, doubt=edit["doubt"])
        return own.best()

    return task.attempt(f"template-{LETTERS[place].lower()}", solve)
