"""Whether the files of a step can still be loaded: tried once, and answered from the record after that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci import importable
from aci.importable import Module
from agent.consent import may_test

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

SECONDS = 5.0
"""For importing what changed; a package that takes longer is not tried again in the run."""
SYNTAX = "its syntax is broken"
_NAME = "imports "


class Loading:
    """Of one branch. What is broken are modules and files by name, with the error."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def after(self, step: Step, previous: str, known: Mapping[str, str]) -> dict[str, str]:
        """What is broken after a step that began with the tree `previous` and the `known` broken.

        Only the present step is tried; for one before it the record has the answer, or nobody asked.
        """
        name = f"{_NAME}{step.n}"
        if step.n == len(self._task.steps):
            found = self._task.once(name, lambda: self._tried(previous, step.tree, known))
        else:
            found = self._task.known(name).get(name, {"fine": [], "broken": {}})
        broken: dict[str, str] = found["broken"]
        return {each: error for each, error in known.items() if each not in found["fine"]} | broken

    def _tried(self, previous: str, tree: str, known: Mapping[str, str]) -> dict[str, Any]:
        """`broken` by this step or still, with the errors; `fine` is what was tried else; `never` did not load before
        the step either, so it says nothing; `folders` are where broken modules are; `slow`: importing took too long."""
        trees = self._task.trees
        changed = [change.path for change in trees.changed(previous, tree)]
        files = [path for path, error in known.items() if error == SYNTAX]
        wrong = [*importable.misspelt(trees, previous, tree, changed), *importable.unparsed(trees, tree, files)]
        found = {"broken": dict.fromkeys(wrong, SYNTAX), "fine": files, "never": [], "folders": {}, "slow": False}
        earlier = self._earlier()
        again = [Module(name, earlier["folders"].get(name, "")) for name in known if name not in files]
        gone = [each.name for each in again if not importable.is_there(trees, tree, each)]
        found["fine"] = [*files, *gone]
        wanted = [
            each
            for each in dict.fromkeys([*importable.modules(trees, tree, changed), *again])
            if each.name not in earlier["never"] and each.name not in gone
        ]
        if wanted and not earlier["slow"] and may_test(self._task):
            self._import(wanted, previous, known, found)
        return found

    def _import(self, wanted: Sequence[Module], previous: str, known: Mapping[str, str], found: dict[str, Any]) -> None:
        """Add to `found` what importing says."""
        errors = importable.errors(self._task.workspace, wanted, SECONDS)
        if errors is None:
            found["slow"] = True
            return
        bad = [each for each in wanted if errors.get(each.name)]
        found["never"] = never = self._failing_before(previous, [each for each in bad if each.name not in known])
        found["fine"] += [name for name, error in errors.items() if not error]
        broken = [each for each in bad if each.name not in never]
        found["broken"] |= {each.name: errors[each.name] for each in broken}
        found["folders"] = {each.name: each.folder for each in broken}

    def _failing_before(self, tree: str, wanted: Sequence[Module]) -> list[str]:
        """Which of the modules cannot be imported in `tree` either; only a fork can tell, and few steps need it."""
        if not wanted:
            return []
        with closing(self._task.engine.fork(tree, self._task.cancel)) as fork:
            errors = importable.errors(fork, wanted, SECONDS) or {}
        return [each.name for each in wanted if errors.get(each.name) != ""]

    def _earlier(self) -> dict[str, Any]:
        """What earlier steps' tries found that holds for later ones."""
        values = self._task.known(_NAME).values()
        return {
            "folders": {name: folder for value in values for name, folder in value["folders"].items()},
            "never": {name for value in values for name in value["never"]},
            "slow": any(value["slow"] for value in values),
        }
