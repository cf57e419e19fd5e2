"""After an edit: what does not fit together any more, told to the model as a step of its own."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from aci.diagnostics import CHECKERS, Checker, checkers, diagnosed, only_new
from aci.misfits import Misfit, misfits
from agent.consent import may_test
from agent.moves.framing import framed

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

AUTHOR, DIAGNOSTICS, SILENT = "checker", "diagnostics ", "said nothing: "
MOST = 12
SAID = "Since the base, after your edit (found without running it; not everything said so is wrong):\n{lines}"
NOTHING = "What was found after your edit is mended."


class Checks:
    """What a conversation is told after its steps. `news` is whether the last one had some."""

    def __init__(self, task: Task) -> None:
        self._task, self._tree = task, task.tree
        self._told = _told(task)
        self.news = False

    def after(self, step: Step) -> Generator[Step, None, None]:
        """What does not fit any more, if the files are others than after the step before, and if it is news."""
        self.news = False
        task = self._task
        if task.tree == self._tree:
            return
        self._tree = task.tree
        found = [Misfit(*one) for one in task.once(f"{DIAGNOSTICS}{step.n}", lambda: _found(task))]
        known = {(one.path, one.text) for one in found}
        if known == self._told:
            return
        self.news, self._told = bool(known - self._told), known
        lines = "\n".join(map(str, found))
        yield task.say(SAID.format(lines=framed(lines)) if found else NOTHING, author=AUTHOR)


def _told(task: Task) -> set[tuple[str, str]]:
    """What this conversation was told last."""
    known = task.known(DIAGNOSTICS)
    last = max((name for name in known if _step(name) <= len(task.steps)), key=_step, default="")
    return {(path, text) for path, _, text in known[last]} if last else set()


def _step(name: str) -> int:
    return int(name.removeprefix(DIAGNOSTICS))


def _found(task: Task) -> list[tuple[str, int, str]]:
    """What is wrong in the files that have changed since the base, and was not before."""
    changed = [one for one in task.trees.changed(task.base.tree, task.tree) if one.path.isprintable()]
    now = [one.path for one in changed if one.status != "D"]
    before = [path for path in now if task.trees.entry(task.base.tree, path)]
    found = only_new(_misfits(task, task.tree, now), _misfits(task, task.base.tree, before))
    if may_test(task):
        found += _checked_by_others(task, now, before)
    return [(one.path, one.line, one.text) for one in found[:MOST]]


def _checked_by_others(task: Task, now: Sequence[str], before: Sequence[str]) -> list[Misfit]:
    """What the environment's checkers say newly, in forks: they may write files. One that comes to nothing once is not
    asked again."""
    kinds = sorted({path.rpartition(".")[2] for path in now})
    names = task.once(f"checkers for {' '.join(kinds)}", lambda: [one.name for one in checkers(task.workspace, now)])
    found: list[Misfit] = []
    for checker in (one for one in CHECKERS if one.name in names and f"{SILENT}{one.name}" not in task.known(SILENT)):
        said = _said(task, checker, task.tree, now)
        mine = [path for path in before if path.endswith(checker.suffixes)] if said else []
        was = [_at_the_base(task, checker, path) for path in mine]
        if said is None or None in was:
            task.once(f"{SILENT}{checker.name}", lambda: True)
        else:
            found += only_new(said, [one for told in was for one in told or ()])
    return found


def _at_the_base(task: Task, checker: Checker, path: str) -> list[Misfit] | None:
    def told() -> list[tuple[str, int, str]] | None:
        said = _said(task, checker, task.base.tree, [path])
        return None if said is None else [(one.path, one.line, one.text) for one in said]

    known = task.once(f"{checker.name} of {path} at the base", told)
    return None if known is None else [Misfit(*one) for one in known]


def _said(task: Task, checker: Checker, tree: str, paths: Sequence[str]) -> list[Misfit] | None:
    with closing(task.engine.fork(tree, task.cancel)) as workspace:
        return diagnosed(workspace, checker, paths)


def _misfits(task: Task, tree: str, paths: Sequence[str]) -> list[Misfit]:
    def read(path: str) -> bytes | None:
        try:
            return task.trees.read(tree, path)
        except OSError:
            return None

    return [one for path in paths if path.endswith((".py", ".pyi")) for one in misfits(path, read)]
