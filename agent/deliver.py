"""Effects outside the container: the patch reaches the user's repository. Intent, do, result, each on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajectories.records import Note, Patch

if TYPE_CHECKING:
    from agent.engine import Engine


def deliver(engine: Engine, patch: Patch) -> None:
    """Apply the patch or put it on a branch, as the settings say; a delivery that was made is not made again.

    Raises UsageError when the user's repository has changed in the way; the run stays resumable.
    """
    if not patch:
        return
    if engine.settings.apply:
        _once(engine, "apply", lambda: _apply(engine, patch))
    if engine.settings.branch:
        _once(engine, f"branch {engine.settings.branch}", lambda: _branch(engine, patch))


def _once(engine: Engine, what: str, do: object) -> None:
    assert callable(do)
    notes = [note.kind for note in engine.trajectory.notes if note.text == what]
    if "done" in notes:
        return
    engine.journal.append(Note("main", "intent", what))
    do()
    engine.journal.append(Note("main", "done", what))


def _apply(engine: Engine, patch: Patch) -> None:
    engine.repository.apply(patch.diff, engine.run.base)


def _branch(engine: Engine, patch: Patch) -> None:
    title = engine.run.issue.title.strip().splitlines()[0][:72] if engine.run.issue.title.strip() else "Fix the issue"
    engine.repository.branch(engine.settings.branch, engine.run.base, patch.tree, engine.trees, title)
