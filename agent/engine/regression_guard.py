"""The safety net: a step that breaks what worked is told at once; after three of them files and conversation go back to
where nothing was broken.

What is broken is known from the records alone: tests that passed in an earlier run and no longer do, on other files;
and what can no longer be loaded, which is tried where no run of the step shows it. Tests that are lost again after a
going back are meant to be: they do not count twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aci.evidence import contradiction
from agent.backtrack import BACK_TO, SAFETY, goes_back, rewinds
from agent.moves.loading import Loading
from tools.run_tests import recall_names
from trajectories.records import Action, Observation, Step

if TYPE_CHECKING:
    from agent.task import Task

STEPS = 3
"""Steps that each break something more, with nothing whole in between, before all goes back."""
SHOWN = 5
OFFER = "Mend it, or take it back with `undo`."
BACK = "It was the third such step in a row, so all is as it was before them. Go another way."


@dataclass(frozen=True, slots=True)
class State:
    """After a step: tests lost and modules broken (with the error), by `count` steps since step `whole`."""

    lost: frozenset[str] = frozenset()
    broken: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    whole: int = 0


@dataclass(frozen=True, slots=True)
class Damage:
    """What one step broke."""

    lost: tuple[str, ...]
    broken: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.lost or self.broken)

    def __str__(self) -> str:
        first = {error: name for name, error in reversed(tuple(self.broken.items()))}  # others fail by it
        said = [f"{name} can no longer be loaded ({error})." for error, name in reversed(first.items())][:SHOWN]
        if self.lost:
            more = f" and {len(self.lost) - SHOWN} more" if len(self.lost) > SHOWN else ""
            said.append(f"Passed before, and no longer: {', '.join(self.lost[:SHOWN])}{more}.")
        return f"This step broke what worked: {' '.join(said)}"


class Net:
    """What is known of one branch, over all its loops; `watch` comes after each step of a loop."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._loading = Loading(task)
        self._state = State()
        self._states: dict[int, State] = {}
        self._steps: Sequence[Step] = ()
        self._passed: dict[str, str] = {}
        """Test -> tree in which it passed last."""
        self._passing: dict[str, frozenset[str]] = {}
        """What was asked for -> what passed when that last ran to its end."""
        self._meant: frozenset[str] = frozenset()

    def watch(self) -> Generator[Step, None, None]:
        """Tell what the last step broke, or go back."""
        damage = None
        self._steps = self._task.steps
        first = self._task.first  # what earlier turns did was meant to stay
        if not self._states:
            self._state = State(whole=first)
            self._states[first] = self._state
        for step in self._steps[first + len(self._states) - 1 :]:
            damage = self._take(step) or damage
        if not damage:
            return
        if self._state.count < STEPS:
            yield self._task.say(f"{damage} {OFFER}", author=SAFETY)
            return
        whole = self._state.whole
        yield self._task.adopt(self._tree(whole), f"{damage} {BACK}", author=SAFETY, data={BACK_TO: whole})

    def _take(self, step: Step) -> Damage | None:
        """Go on to the state after a step; what it broke, if anything."""
        damage = None
        back = goes_back(step)
        if (number := rewinds(step) if back is None else back) is not None:
            self._meant |= self._state.lost if step.author == SAFETY else frozenset()
            self._state = self._states[max(number, self._task.first)]
        if rewinds(step) is not None:  # what passed on the way that was left, need not pass on this one
            self._passed.clear()
            self._passing.clear()
        if step.author == "proof":  # it has judged all there is
            self._state = State(whole=self._task.first)
        if step.reply is not None:
            damage = self._judge(step, self._tree(step.n - 1 if back is None else back))
        if not self._state.lost and not self._state.broken:
            self._state = State(whole=step.n)
        self._states[step.n] = self._state
        return damage

    def _judge(self, step: Step, previous: str) -> Damage:
        before = self._state
        runs = list(_runs(step))
        lost, broken = set(before.lost), dict(before.broken)
        for action, seen in runs:
            lost = self._after(action, seen, lost)
        shown = any(seen.data["tree"] == step.tree and seen.data["passed"] for _, seen in runs)
        handed_in = any(seen.data.get("submitted") for seen in step.observations)
        if step.tree != previous and not handed_in and (broken or not shown):
            broken = self._loading.after(step, previous, broken)
        lost -= self._meant
        new = {name: error for name, error in broken.items() if name not in before.broken}
        damage = Damage(tuple(sorted(lost - before.lost)), new)
        self._state = replace(before, lost=frozenset(lost), broken=broken, count=before.count + bool(damage))
        return damage

    def _after(self, action: Action, seen: Observation, lost: set[str]) -> set[str]:
        """The lost tests after one more run."""
        passing = frozenset(filter(None, recall_names(self._task.engine.journal.recall(seen.data["passing"]))))
        tree, missing = seen.data["tree"], set(seen.data["failed"])
        asked = json.dumps([action.arguments.get("nodes") or [], action.arguments.get("command") or ""])
        if seen.data["complete"]:
            missing |= self._passing.get(asked, frozenset()) - passing
            self._passing[asked] = passing
        paths = {failure["id"]: failure["path"] for failure in seen.data["failures"]}
        lost |= {test for test in missing if test in self._passed and self._counts(test, paths.get(test, ""), tree)}
        self._passed |= dict.fromkeys(passing, tree)
        return lost - passing

    def _counts(self, test: str, path: str, tree: str) -> bool:
        """Whether a test that no longer passes tells of the code: files were changed since, but not the test's own
        unless it is the base's, and the issue does not ask for it."""
        trees, before = self._task.trees, self._passed[test]
        if before == tree or contradiction(self._task.issue.text, test):
            return False
        path = path or _file_of(test, trees.files(before))
        same = trees.entry(before, path) == trees.entry(tree, path) if path else False
        return same or (path != "" and trees.entry(self._task.base.tree, path) is not None)

    def _tree(self, number: int) -> str:
        """The tree after a step; the branch's first for 0."""
        return self._steps[number - 1].tree if number > self._task.first else self._task.start


def _runs(step: Step) -> Iterable[tuple[Action, Observation]]:
    """The runs of tests in a step of which it is known what passed."""
    pairs = zip(step.actions, step.observations, strict=False)
    return ((action, seen) for action, seen in pairs if seen.data.get("passing") is not None)


def _file_of(test: str, files: Collection[str]) -> str:
    """The file of a test by its id: pytest's node id, or unittest's dotted name; "" if that names none."""
    path = test.partition("::")[0]
    if path in files:
        return path
    parts = test.split(".")
    names = ["/".join(parts[:end]) + ".py" for end in range(len(parts), 0, -1)]
    return next((found for name in names for found in files if f"/{found}".endswith(f"/{name}")), "")
