"""After an edit: what does not fit together any more, told to the model as a step of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from aci.diagnostics import checkers, diagnosed, only_new
from aci.misfits import Misfit, misfits
from agent.consent import may_test
from agent.moves.framing import framed

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

AUTHOR = "checker"
MOST = 12
SAID = "Since the base, after your edit (found without running it; not everything said so is wrong):\n{lines}"
NOTHING = "What was found after your edit is mended."


def checked(task: Task, begin: Callable[[], Generator[Step, None, Step]]) -> Generator[Step, None, Step]:
    """The steps of a loop, each that changes files followed by what does not fit since the base, if that is news. The
    result is the loop's; of what was handed in with news the loop begins once more."""
    running, told, again, news = begin(), list[str](), False, False
    while True:
        tree = task.tree
        try:
            step = next(running)
        except StopIteration as end:
            last: Step = end.value
            if again or not news:
                return last
            running, again = begin(), True
            continue
        yield step
        news = False
        if step.tree == tree:
            continue
        found: list[str] = task.once(f"diagnostics {step.n}", lambda: _found(task))
        if found != told:
            told, news = found, bool(found)
            yield task.say(SAID.format(lines=framed("\n".join(found))) if found else NOTHING, author=AUTHOR)


def _found(task: Task) -> list[str]:
    """What is wrong in the files that have changed since the base, and was not before."""
    paths = [one.path for one in task.trees.changed(task.base.tree, task.tree) if one.path.isprintable()]
    now, before = _misfits(task, task.tree, paths), _misfits(task, task.base.tree, paths)
    found = only_new(now, before)
    if may_test(task) and (asked := checkers(task.workspace, paths)):
        said = [one for checker in asked for one in diagnosed(task.workspace, checker, paths)]
        if said:
            with closing(task.engine.fork(task.base.tree, task.cancel)) as workspace:
                was = [one for checker in asked for one in diagnosed(workspace, checker, paths)]
            found += only_new(said, was)
    return [str(one) for one in found[:MOST]]


def _misfits(task: Task, tree: str, paths: list[str]) -> list[Misfit]:
    def read(path: str) -> bytes | None:
        try:
            return task.trees.read(tree, path)
        except OSError:
            return None

    return [one for path in paths if path.endswith((".py", ".pyi")) for one in misfits(path, read)]
