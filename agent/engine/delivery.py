"""Effects outside the container: the patch reaches the user's repository. Intent, do, result, each on the record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agent.approvals import Approval
from agent.link_names import names_through_links
from trajectories.errors import UsageError
from trajectories.records import Note, Patch

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.solve import Result


def deliver(engine: Engine, result: Result) -> None:
    """Apply the patch, put it on a branch or open a pull request, as the settings say; each looks before it acts, so
    twice is once.

    Raises UsageError when the user's repository has changed in the way, and what GitHub refuses; the run stays
    resumable.
    """
    patch = result.patch
    if not patch:
        return
    if engine.settings.apply:
        changed = engine.trees.changed(engine.run.base.tree, patch.tree)
        others = partial(names_through_links, engine.trees, engine.run.base.tree, patch.tree)
        paths = "\n".join(change.path for change in changed)
        asked = Approval("apply", "Apply the patch?", paths, other_names=others)
        _recorded(engine, "apply", asked, lambda: _apply(engine, patch))
    if name := engine.settings.branch:
        _recorded(
            engine, f"branch {name}", Approval("branch", "Make the branch?", name), lambda: _branch(engine, patch, name)
        )
    if engine.settings.pr and engine.run.issue.url:
        from agent.github.request import deliver_request

        deliver_request(engine, result)


def _recorded(engine: Engine, what: str, approval: Approval, do: Callable[[], str]) -> None:
    if any(note.kind == "done" and note.data.get("effect") == what for note in engine.trajectory.notes):
        return
    answer = engine.approve(approval)
    if not answer.yes:
        raise UsageError(answer.reason, f"`swe-agent diff {engine.run.id}` shows the patch, which is kept.")
    engine.journal.append(Note("main", "intent", what, {"effect": what}))
    engine.journal.append(Note("main", "done", do(), {"effect": what}))


def _apply(engine: Engine, patch: Patch) -> str:
    if engine.repository.applied(patch.diff):
        return f"{engine.repository.root} holds the patch already."
    engine.repository.apply(patch.diff, engine.run.base, engine.journal.directory / "patch.diff")
    return f"The patch is applied to {engine.repository.root}."


def _branch(engine: Engine, patch: Patch, name: str) -> str:
    title = engine.run.issue.title[:72] or "Fix the issue"
    commit = engine.repository.branch(name, engine.run.base, patch.tree, engine.trees, title)
    return f"Branch {name} is at {commit[:10]}."
