"""The failing test that is made from the issue's example, without a model."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import quote_text
from aci.repository.file_blobs import TreeBlobs
from agent.engine.permission_checks import may_run_example
from agent.phases.reproduction_gate import judge
from trajectories.records import Action

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

AUTHOR = "reproduction"
DRAFT = (
    "The test {path} was made from the issue's example, without a model. Today: {error}. {because} Check that it shows "
    "the issue, and change or replace it if it does not."
)

MOST_SHOWN = 300
"""Maximum number of characters of each text in DRAFT."""


def example_test(task: Task) -> Generator[Step, None, tuple[str, ...]]:
    """Add the test from the issue's example in a step and return it; nothing if there is none, or if the user refuses
    to run the example."""
    found = recorded_reproduction(task)
    if not found.get("text"):
        return ()
    yield _add(task, found, ())
    return (found["test"],)


def draft_test(task: Task) -> Generator[Step, None, bool]:
    """Add the test from the issue's example as a draft for the model; return whether it fails as the issue reports.

    The example is not trusted, so without isolation it is left to the model, about whose commands the user is asked.
    """
    if task.turn.settings.workspace == "local":
        return False
    found = recorded_reproduction(task)
    if not found.get("text"):
        return False
    step = _add(task, found, (Action("run_tests", {"nodes": [found["path"]]}),))
    yield step
    shown = {name: quote_text(found[name])[:MOST_SHOWN] for name in ("path", "error", "because")}
    yield task.say(DRAFT.format(**shown))
    gate = judge(task, step)
    task.note("gate", gate.open or gate.refused or "The test from the issue's example does not fail.")
    return bool(gate.open)


def _add(task: Task, found: dict[str, Any], more: tuple[Action, ...]) -> Step:
    actions = (Action("edit", {"path": found["path"], "old": "", "new": found["text"]}), *more)
    return task.step(None, task.act(actions), actions, AUTHOR)


def recorded_reproduction(task: Task, named: bool = True) -> dict[str, Any]:
    """Return the reproduction of the issue, which is recorded; empty if the issue has no example. It is a phase of its
    own if it is `named`."""
    from extensions.reproduction.reproducer import example_code  # only runs without a given test need it

    code = example_code(task.turn.issue)
    if not code or task.turn.settings.subtree:
        return {}
    if named:
        task.note("phase", "run the issue's example")
    found: dict[str, Any] = task.once("reproduction", lambda: _reproduce(task, code))
    task.note("summary", found.get("reason") or f"Made from the issue's example: {found.get('test', '')}")
    return found


def _reproduce(task: Task, code: list[str]) -> dict[str, Any]:
    from extensions.reproduction.reproducer import Reproducer

    if not may_run_example(task.branch, code):
        return {"reason": "The issue's example was not run: permission was denied."}
    blobs = TreeBlobs(task.trees, task.tree)
    with closing(task.branch.place.fork(task.tree)) as workspace:
        return asdict(Reproducer(workspace, blobs, task.turn.settings.test).reproduce(task.turn.issue))
