"""Delivery of the patch to the user's repository. Each effect is recorded before and after it is carried out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agent.permissions.approvals import Approval
from agent.permissions.link_names import names_through_links
from trajectories.errors import UsageError
from trajectories.records import Note, Patch

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.engine.run_result import Result


Publish = Callable[["Engine", "Result"], None]
"""Opens the pull request of a run that ends. The front end provides it, since the engine does not know GitHub."""


def deliver(engine: Engine, result: Result, publish: Publish | None) -> None:
    """Apply the patch, put it on a branch or open a pull request, depending on the settings.

    Each effect is idempotent.

    Raises UsageError if the user refuses or the user's repository has conflicting changes, and any error that GitHub
    reports; the run remains resumable.
    """
    patch = result.patch
    if not patch:
        return
    if engine.settings.apply:
        changed = engine.trees.changed(engine.run.base.tree, patch.tree)
        others = partial(names_through_links, engine.trees, engine.run.base.tree, patch.tree)
        paths = "\n".join(change.path for change in changed)
        approval = Approval("apply", "Apply the patch?", paths, other_names=others)
        _deliver_once(engine, "apply", approval, lambda: _apply(engine, patch))
    if name := engine.settings.branch:
        _deliver_once(
            engine,
            f"branch {name}",
            Approval("branch", "Create the branch?", name),
            lambda: _branch(engine, patch, name),
        )
    if engine.settings.pr and engine.run.issue.url and publish:
        publish(engine, result)


def _deliver_once(engine: Engine, effect: str, approval: Approval, apply: Callable[[], str]) -> None:
    if any(note.kind == "done" and note.data.get("effect") == effect for note in engine.trajectory.notes):
        return
    answer = engine.approve(approval)
    if not answer.yes:
        raise UsageError(answer.reason, f"`swe-agent diff {engine.run.id}` shows the patch, which is kept.")
    engine.journal.append(Note("main", "intent", effect, {"effect": effect}))
    engine.journal.append(Note("main", "done", apply(), {"effect": effect}))


def _apply(engine: Engine, patch: Patch) -> str:
    if engine.repository.applied(patch.diff):
        return f"{engine.repository.root} already contains the patch."
    engine.repository.apply(patch.diff, engine.run.base, engine.journal.directory / "patch.diff")
    return f"The patch is applied to {engine.repository.root}."


def _branch(engine: Engine, patch: Patch, name: str) -> str:
    title = engine.run.issue.title[:72] or "Fix the issue"
    commit = engine.repository.branch(name, engine.run.base, patch.tree, engine.trees, title)
    return f"Branch {name} is at {commit[:10]}."
