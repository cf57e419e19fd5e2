"""The import check of a step, which records whether the changed files can still be loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from aci.proof import import_check
from aci.proof.import_check import ImportableModule
from agent.engine.permission_checks import ActingBranch, may_test

if TYPE_CHECKING:
    from agent.engine.branch_workspace import BranchWorkspace
    from trajectories.git_store.trees import Trees
    from trajectories.records import Step

SECONDS = 5.0
"""Time limit in seconds for importing changed modules. If importing takes longer, imports are not checked again on that
branch in the same turn."""
SYNTAX = "its syntax is broken"
_NAME = "imports "


class CheckedBranch(ActingBranch, Protocol):
    """The parts of a branch that checks of its steps use."""

    place: BranchWorkspace

    @property
    def steps(self) -> Sequence[Step]: ...
    def once(self, name: str, compute: Callable[[], Any]) -> Any: ...
    def known(self, beginning: str) -> dict[str, Any]: ...


class Loading:
    """The import checks of one branch. Broken modules and files are returned as a mapping from name to error."""

    def __init__(self, branch: CheckedBranch, trees: Trees) -> None:
        self._branch, self._trees = branch, trees

    def after(self, step: Step, previous: str, known: Mapping[str, str]) -> dict[str, str]:
        """Return what is broken after a step, given the tree before it (`previous`) and what was broken then (`known`).

        Only the latest step is checked; for earlier steps the recorded result is used, if there is one.
        """
        name = f"{_NAME}{step.n}"
        if step.n == len(self._branch.steps):
            found = self._branch.once(name, lambda: self._check(previous, step.tree, known))
        else:
            found = self._branch.known(name).get(name, {"fine": [], "broken": {}})
        broken: dict[str, str] = found["broken"]
        return {each: error for each, error in known.items() if each not in found["fine"]} | broken

    def _check(self, previous: str, tree: str, known: Mapping[str, str]) -> dict[str, Any]:
        """Check the files of a step.

        In the result, `broken` maps broken names to their errors, `fine` lists the checked names that are not broken,
        `never` lists the names that could not be loaded before the step either, `folders` maps broken modules to their
        folders, and `slow` says whether the imports took too long.
        """
        trees = self._trees
        changed = [change.path for change in trees.changed(previous, tree)]
        files = [path for path, error in known.items() if error == SYNTAX]
        unparsable = [
            *import_check.newly_unparsable(trees, previous, tree, changed),
            *import_check.still_unparsable(trees, tree, files),
        ]
        found = {"broken": dict.fromkeys(unparsable, SYNTAX), "fine": files, "never": [], "folders": {}, "slow": False}
        earlier = self._earlier()
        again = [ImportableModule(name, earlier["folders"].get(name, "")) for name in known if name not in files]
        removed = [each.name for each in again if not import_check.module_exists(trees, tree, each)]
        found["fine"] = [*files, *removed]
        wanted = [
            each
            for each in dict.fromkeys([*import_check.find_modules(trees, tree, changed), *again])
            if each.name not in earlier["never"] and each.name not in removed
        ]
        if wanted and not earlier["slow"] and may_test(self._branch):
            self._import(wanted, previous, known, found)
        return found

    def _import(
        self, wanted: Sequence[ImportableModule], previous: str, known: Mapping[str, str], found: dict[str, Any]
    ) -> None:
        """Import the `wanted` modules and add the results to `found`."""
        errors = import_check.import_errors(self._branch.workspace, wanted, SECONDS)
        if errors is None:
            found["slow"] = True
            return
        bad = [each for each in wanted if errors.get(each.name)]
        found["never"] = never = self._failing_before(previous, [each for each in bad if each.name not in known])
        found["fine"] += [name for name, error in errors.items() if not error]
        broken = [each for each in bad if each.name not in never]
        found["broken"] |= {each.name: errors[each.name] for each in broken}
        found["folders"] = {each.name: each.folder for each in broken}

    def _failing_before(self, tree: str, wanted: Sequence[ImportableModule]) -> list[str]:
        """Return which of the `wanted` modules cannot be imported in `tree` either. This needs a fork of the workspace,
        but only after the few steps that break an import."""
        if not wanted:
            return []
        with closing(self._branch.place.fork(tree)) as fork:
            errors = import_check.import_errors(fork, wanted, SECONDS) or {}
        return [each.name for each in wanted if errors.get(each.name) != ""]

    def _earlier(self) -> dict[str, Any]:
        """Return the results of earlier checks that also apply to later steps."""
        values = self._branch.known(_NAME).values()
        return {
            "folders": {name: folder for value in values for name, folder in value["folders"].items()},
            "never": {name for value in values for name in value["never"]},
            "slow": any(value["slow"] for value in values),
        }
