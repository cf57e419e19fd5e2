"""A guard against regressions: the model is warned at once when a step breaks something that worked, and after three
such steps files and conversation are rewound to the last intact state.

Breakage is derived from the records: tests that passed on earlier files and no longer pass, and modules that can no
longer be loaded. Modules are checked only if no test run of the step shows whether they can be loaded. If tests are
lost again after a rewind, this is assumed to be intentional and is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from aci.proof import import_check
from aci.proof.evidence import find_contradiction, find_test_file
from aci.proof.import_check import ImportableModule
from agent.engine.permission_checks import ActingBranch, may_test
from agent.run_state.rewind import BACK_TO, SAFETY, rewind_target, rewinds
from tools.run_tests import recall_names
from trajectories.records import Action, Observation, Step

if TYPE_CHECKING:
    from agent.engine.branch_workspace import BranchWorkspace
    from trajectories.git_store.trees import Trees


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


STEPS = 3
"""Number of steps that break something, without an intact state in between, after which files and conversation are
rewound."""
SHOWN = 5
OFFER = "Fix it, or revert it."
BACK = "This was the third such step in a row, so everything was reset to the state before them. Try another approach."


@dataclass(frozen=True, slots=True)
class State:
    """The state after a step: the lost tests, and the broken modules with their errors. `whole` is the last step with
    an intact state, `count` the number of steps since then that broke something."""

    lost: frozenset[str] = frozenset()
    broken: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    whole: int = 0


@dataclass(frozen=True, slots=True)
class Damage:
    """The tests and modules that one step broke."""

    lost: tuple[str, ...]
    broken: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.lost or self.broken)

    def __str__(self) -> str:
        first = {
            error: name for name, error in reversed(tuple(self.broken.items()))
        }  # only the first module with each error is reported: the others fail because of it
        lines = [f"{name} can no longer be loaded ({error})." for error, name in reversed(first.items())][:SHOWN]
        if self.lost:
            more = f" and {len(self.lost) - SHOWN} more" if len(self.lost) > SHOWN else ""
            lines.append(f"No longer passing: {', '.join(self.lost[:SHOWN])}{more}.")
        return f"This step caused a regression: {' '.join(lines)}"


class GuardedBranch(CheckedBranch, Protocol):
    """The parts of a branch that the guard uses."""

    start: str
    first: int

    def say(self, text: str, author: str) -> Step: ...
    def adopt(self, tree: str, why: str, author: str, data: Mapping[str, Any]) -> Step: ...


class RegressionGuard:
    """The regression guard of one branch, used by all its loops. `watch` is called after each step of a loop."""

    def __init__(self, branch: GuardedBranch, trees: Trees, recall: Callable[[int], bytes]) -> None:
        """`recall` returns a recorded output by its number."""
        self._branch, self._trees, self._recall = branch, trees, recall
        self._loading = Loading(branch, trees)
        self._state = State()
        self._states: dict[int, State] = {}
        self._steps: Sequence[Step] = ()
        self._passed: dict[str, str] = {}
        """Test -> the last tree in which it passed."""
        self._passing: dict[str, frozenset[str]] = {}
        """Selection of tests -> the tests that passed in its last complete run."""
        self._accepted_losses: frozenset[str] = frozenset()

    def watch(self) -> Generator[Step, None, None]:
        """Warn about what the last step broke, or rewind."""
        damage = None
        self._steps = self._branch.steps
        first = self._branch.first  # changes of earlier turns are assumed to be intended
        if not self._states:
            self._state = State(whole=first)
            self._states[first] = self._state
        for step in self._steps[first + len(self._states) - 1 :]:
            damage = self._advance(step) or damage
        if not damage:
            return
        if self._state.count < STEPS:
            yield self._branch.say(f"{damage} {OFFER}", author=SAFETY)
            return
        whole = self._state.whole
        yield self._branch.adopt(self._tree(whole), f"{damage} {BACK}", author=SAFETY, data={BACK_TO: whole})

    def _advance(self, step: Step) -> Damage | None:
        """Update the state for the next step and return what the step broke, if anything."""
        damage = None
        back = rewind_target(step)
        if (number := rewinds(step) if back is None else back) is not None:
            self._accepted_losses |= self._state.lost if step.author == SAFETY else frozenset()
            self._state = self._states[max(number, self._branch.first)]
        if rewinds(step) is not None:  # tests that passed in the abandoned steps need not pass now
            self._passed.clear()
            self._passing.clear()
        if step.author == "proof":  # a proof has judged the state, so counting starts again
            self._state = State(whole=self._branch.first)
        if step.reply is not None:
            damage = self._judge(step, self._tree(step.n - 1 if back is None else back))
        if not self._state.lost and not self._state.broken:
            self._state = State(whole=step.n)
        self._states[step.n] = self._state
        return damage

    def _judge(self, step: Step, previous: str) -> Damage:
        before = self._state
        runs = list(_test_runs(step))
        lost, broken = set(before.lost), dict(before.broken)
        for action, seen in runs:
            lost = self._add_test_run(action, seen, lost)
        passed = any(seen.data["tree"] == step.tree and seen.data["passed"] for _, seen in runs)
        submitted = any(seen.data.get("submitted") for seen in step.observations)
        if step.tree != previous and not submitted and (broken or not passed):
            broken = self._loading.after(step, previous, broken)
        lost -= self._accepted_losses
        new = {name: error for name, error in broken.items() if name not in before.broken}
        damage = Damage(tuple(sorted(lost - before.lost)), new)
        self._state = replace(before, lost=frozenset(lost), broken=broken, count=before.count + bool(damage))
        return damage

    def _add_test_run(self, action: Action, seen: Observation, lost: set[str]) -> set[str]:
        """Return the set of lost tests, updated with another test run."""
        passing = frozenset(filter(None, recall_names(self._recall(seen.data["passing"]))))
        tree, missing = seen.data["tree"], set(seen.data["failed"])
        selection = json.dumps([action.arguments.get("nodes") or [], action.arguments.get("command") or ""])
        if seen.data["complete"]:
            missing |= self._passing.get(selection, frozenset()) - passing
            self._passing[selection] = passing
        paths = {failure["id"]: failure["path"] for failure in seen.data["failures"]}
        lost |= {
            test for test in missing if test in self._passed and self._is_regression(test, paths.get(test, ""), tree)
        }
        self._passed |= dict.fromkeys(passing, tree)
        return lost - passing

    def _is_regression(self, test: str, path: str, tree: str) -> bool:
        """Return whether a test that no longer passes shows a regression of the code.

        Files must have changed since the test passed, a test file that is not in the base must be unchanged, and the
        issue must not ask for the failure.
        """
        trees, before = self._trees, self._passed[test]
        if before == tree or find_contradiction(self._branch.turn.issue.text, test):
            return False
        path = path or find_test_file(test, trees.files(before))
        same = trees.entry(before, path) == trees.entry(tree, path) if path else False
        return same or (path != "" and trees.entry(self._branch.turn.base.tree, path) is not None)

    def _tree(self, number: int) -> str:
        """Return the tree after a step, or the tree at the start of the turn for earlier steps."""
        return self._steps[number - 1].tree if number > self._branch.first else self._branch.start


def _test_runs(step: Step) -> Iterable[tuple[Action, Observation]]:
    """Return the test runs of a step whose passing tests were recorded."""
    pairs = zip(step.actions, step.observations, strict=False)
    return ((action, seen) for action, seen in pairs if seen.data.get("passing") is not None)
