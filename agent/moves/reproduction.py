"""Tests that show the issue: those the user names with `--reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.task import Task


def given_tests(task: Task) -> tuple[str, ...]:
    """What `--reproduce` names: a test of the repository (node or file) or, from outside it, a file to be taken in.

    Raises UsageError when it is neither.
    """
    name = task.settings.reproduce
    if not name:
        return ()
    if name.partition("::")[0] in task.trees.files(task.base.tree) or not Path(name).suffix:
        return (name,)
    return (task.once("reproduce", lambda: _take_in(task, Path(name))),)


def _take_in(task: Task, file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The reproduction test {file} cannot be read: {error.strerror}.", "Name a file, or a test of the suite."
        ) from None
    folder = next(
        (f"{path.partition('/')[0]}/" for path in sorted(task.trees.files(task.base.tree)) if path.startswith("test")),
        "",
    )
    target = f"{folder if '/' in folder else ''}{file.name}"
    task.workspace.write(target, content)
    return target
