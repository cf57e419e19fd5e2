"""The tests that reproduce the issue if the user gives them: the one of `--reproduce`, or the failing tests."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.engine.permission_checks import REFUSED
from agent.phases.base_failures import failing_tests
from agent.run_state.strategy_traits import NoFailingTest, is_about_failing_tests
from trajectories.errors import UsageError
from trajectories.records import Action

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

MOST_LISTED = 30
"""Maximum number of failing tests that are named to the model."""


def given_tests(task: Task) -> Generator[Step, None, tuple[str, ...]]:
    """Return the test that `--reproduce` names (see `reproduction_test`), or, if the issue is only about failing tests,
    these."""
    if not task.turn.settings.reproduce and is_about_failing_tests(task.turn.issue):
        return (yield from _failing_on_base(task))
    return (yield from reproduction_test(task))


def reproduction_test(task: Task) -> Generator[Step, None, tuple[str, ...]]:
    """Return the test that `--reproduce` names; a step adds a file from outside the repository as a new test file.

    The file's content is recorded, so a resumed run does not need the user's file again. If no test is given, the proof
    needs one, so a submission without one is sent back once, on this branch and on those that start from it.
    """
    name = task.turn.settings.reproduce
    task.branch.needs_test = not name
    file, mark, node = name.partition("::")
    if not Path(file).is_absolute():
        return (name,) if name else ()
    content = task.once("reproduction test", lambda: Path(file).read_text("utf-8"))
    target = free_path(set(task.trees.files(task.turn.base.tree)), Path(file).name)
    actions = (Action("edit", {"path": target, "old": "", "new": content}),)
    yield task.step(None, task.act(actions), actions, author="reproduction")
    return (f"{target}{mark}{node}",)


def _failing_on_base(task: Task) -> Generator[Step, None, tuple[str, ...]]:
    """Return the tests that fail on the base, and tell the model about them. Raises UsageError if there are none."""
    task.note("phase", "test the base")
    found = task.once("tests", lambda: _check_failing(failing_tests(task, ())))
    names = tuple(found["failing"])
    listed = "\n".join(f"- {name}" for name in names[:MOST_LISTED])
    more = f"\n- and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    yield task.say(f"{found['summary']} Change the code so that these tests pass, not the tests:\n{listed}{more}")
    return names


def _check_failing(found: dict[str, Any]) -> dict[str, Any]:
    """Return the result of `failing_tests`. Raises UsageError if no test fails; a resumed run looks again."""
    if found["failing"]:
        return found
    if found["summary"] == REFUSED:
        raise UsageError("The tests were not run, because you refused.", "Allow it, or describe an issue with --text.")
    why = found["summary"]
    if found["passing"]:
        raise NoFailingTest(f"No test fails. {why}", "Describe an issue with --text.")
    raise UsageError(why, "Or describe an issue with --text.")


def free_path(taken: set[str], name: str) -> str:
    """Return an unused path in the folder of the other tests."""
    folder = next((path.partition("/")[0] + "/" for path in sorted(taken) if path.startswith(("test/", "tests/"))), "")
    names = (name, *(f"test_reproduction_{number}_{name}" for number in range(len(taken) + 1)))
    return next(folder + free for free in names if folder + free not in taken)
