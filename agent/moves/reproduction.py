"""Tests that show the issue: those the user names with `--reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.task import Task


def given_tests(task: Task) -> tuple[str, ...]:
    """The test that `--reproduce` names; a file from outside the repository becomes a new test file in it.

    Its content is on the record, so a resumed run does not need the user's file again.
    """
    name = task.settings.reproduce
    if not Path(name).is_absolute():
        return (name,) if name else ()
    content = task.once("reproduction test", lambda: Path(name).read_text("utf-8"))
    return (task.once("reproduction place", lambda: _take_in(task, Path(name).name, content)),)


def _take_in(task: Task, name: str, content: str) -> str:
    paths = sorted(task.trees.files(task.base.tree))
    folder = next((path.partition("/")[0] + "/" for path in paths if path.startswith(("test/", "tests/"))), "")
    task.workspace.write(folder + name, content.encode())
    return folder + name
