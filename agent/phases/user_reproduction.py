"""The user's reproduction test, given with `--reproduce`."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.phases.base_failures import failing_tests, is_about_failing_tests
from trajectories.errors import UsageError
from trajectories.records import Action

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

_TEST_ID = re.compile(r"[\w./-]+\.py(?:::\w+)+(?:\[[^\s\]]*\])?")
MOST_LISTED = 30
"""Maximum number of failing tests that are named to the model."""


def given_tests(task: Task) -> Generator[Step, None, tuple[str, ...]]:
    """Return the test that `--reproduce` names; a step adds a file from outside the repository as a new test file.
    Without it, return the existing tests that the issue names, or, if it is only about failing tests, these.

    Its content is recorded, so a resumed run does not need the user's file again. If no test is given, the proof needs
    one, so a submission without one is sent back once, on this branch and on those that start from it.
    """
    name = task.turn.settings.reproduce
    if not name and is_about_failing_tests(task.turn.issue):
        return (yield from _failing_on_base(task))
    named = () if name else _named_tests(task)
    task.branch.needs_test = not (name or named)
    file, mark, node = name.partition("::")
    if not Path(file).is_absolute():
        return (name,) if name else named
    content = task.once("reproduction test", lambda: Path(file).read_text("utf-8"))
    target = _free_path(set(task.trees.files(task.turn.base.tree)), Path(file).name)
    actions = (Action("edit", {"path": target, "old": "", "new": content}),)
    yield task.step(None, task.act(actions), actions, author="reproduction")
    return (f"{target}{mark}{node}",)


def _named_tests(task: Task) -> tuple[str, ...]:
    """Return the existing Python tests that the issue names by their ids."""
    files = task.trees.files(task.turn.base.tree)
    found = []
    for id in dict.fromkeys(_TEST_ID.findall(task.turn.issue.text)):
        path, _, name = id.partition("::")
        function = name.partition("[")[0].rpartition("::")[2]
        if path in files and f"def {function}(".encode() in task.trees.read_blob(files[path].id):
            found.append(id)
    return tuple(found)


def _failing_on_base(task: Task) -> Generator[Step, None, tuple[str, ...]]:
    """Return the tests that fail on the base, and tell the model about them. Raises UsageError if there are none."""
    task.note("phase", "test the base")
    found = task.once("tests", lambda: failing_tests(task, ()))
    names = tuple(found["failing"])
    if not names:
        why = found["summary"]
        raise UsageError(f"No test fails. {why}" if found["passing"] else why, "Or describe an issue with --text.")
    listed = "\n".join(f"- {name}" for name in names[:MOST_LISTED])
    more = f"\n- and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    yield task.say(f"{found['summary']} Change the code so that these tests pass, not the tests:\n{listed}{more}")
    return names


def _free_path(taken: set[str], name: str) -> str:
    """Return an unused path in the folder of the other tests."""
    folder = next((path.partition("/")[0] + "/" for path in sorted(taken) if path.startswith(("test/", "tests/"))), "")
    names = (name, *(f"test_reproduction_{number}_{name}" for number in range(len(taken) + 1)))
    return next(folder + free for free in names if folder + free not in taken)
