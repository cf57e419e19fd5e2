"""Effects on the user's files, recorded in the journal: first the intent with both trees, then the completion.

The process may die between the two records. The next process compares the files with both trees, so it repeats nothing
and finishes incomplete effects, which the user has already approved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent.lifecycle.delivery import staged_patch
from agent.run_state.merge_base import EFFECT, FAILED, MOVED
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Note

if TYPE_CHECKING:
    from agent.engine.engine import Engine

AGAIN = "Use /apply again; it reads your files anew."


def effect_name(engine: Engine, kind: str) -> str:
    """Return the name of the next effect of this kind, such as `apply 2`."""
    notes = [note for note in engine.trajectory.notes if note.kind == "intent"]
    return f"{kind} {1 + sum(str(note.data.get(EFFECT, '')).startswith(f'{kind} ') for note in notes)}"


def run_recorded(engine: Engine, data: Mapping[str, Any], do: Callable[[], Mapping[str, Any]], text: str) -> None:
    """Run `do`, an effect on the user's repository, and record it with the data that `do` returns.

    If `do` fails, the effect is recorded as not done and the error is raised again.
    """
    engine.journal.append(Note("main", "intent", str(data[EFFECT]), dict(data)))
    try:
        found = do()
    except (SweAgentError, OSError) as error:
        _record_failure(engine, data, f"{data[EFFECT]} was not done: {error}")
        raise
    engine.journal.append(Note("main", "done", text, {**data, **found}))


def write(engine: Engine, old: str, new: str) -> None:
    """Change the user's working tree from tree `old` to tree `new`, completely or not at all; the index and HEAD stay
    unchanged.

    Raises UsageError, with nothing changed, if a file differs from `old`.
    """
    try:
        engine.repository.apply(engine.trees.diff(old, new), engine.run.base, staged=staged_patch(engine))
    except UsageError as error:
        raise UsageError(error.message, AGAIN) from error


def finish_interrupted_effects(engine: Engine) -> list[str]:
    """Finish the effects that a dead process had started; return messages about them."""
    if any(unfinished_effects(engine, "apply")):
        engine.repository.finish_apply(staged_patch(engine))
    return [_finish_effect(engine, data) for data in list(unfinished_effects(engine, "apply"))]


def unfinished_effects(engine: Engine, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the data of each intent that has no record of completion."""
    notes = engine.trajectory.notes
    known = {note.data.get(EFFECT) for note in notes if note.kind == "done"}
    for note in notes:
        effect = str(note.data.get(EFFECT, ""))
        if note.kind == "intent" and effect.startswith(f"{kind} ") and effect not in known:
            yield note.data


def _finish_effect(engine: Engine, data: Mapping[str, Any]) -> str:
    trees, now = engine.trees, engine.working_tree.tree()
    paths = [change.path for change in trees.changed(data["host"], data["after"])]
    states = {path: _state(engine, now, path, data) for path in paths}
    left = [path for path, state in states.items() if state in ("before", "torn")]
    if left and not {"after", "torn"} & set(states.values()):
        text = "The session ended before it could apply the accepted changes. Use /apply to be asked again."
        _record_failure(engine, data, text)
        return text
    if left:
        write(engine, now, trees.overlay(now, data["after"], left))
    text = "The session ended while it applied the accepted changes; they are applied now."
    if other := [path for path, state in states.items() if state == "other"]:
        text += f" Check {', '.join(other)}: neither the old nor the new version."
    engine.journal.append(Note("main", "done", text, dict(data)))
    return text


def _state(engine: Engine, now: str, path: str, data: Mapping[str, Any]) -> str:
    """Return the state of a file that was to be written: `before`, `after`, `torn` (missing or incomplete) or
    `other`."""
    entries = {tree: engine.trees.entry(tree, path) for tree in (now, data["host"], data["after"])}
    if entries[now] == entries[data["after"]]:
        return "after"
    if entries[now] == entries[data["host"]]:
        return "before"
    if entries[now] is None:
        return "torn"
    if entries[data["after"]] is None:
        return "other"
    half, whole = (engine.trees.read(tree, path) for tree in (now, data["after"]))
    return "torn" if whole.startswith(half) else "other"


def record_outcome(engine: Engine, data: Mapping[str, Any], done: bool, text: str) -> None:
    """Record whether an effect that a dead process had started was done."""
    if done:
        engine.journal.append(Note("main", "done", text, dict(data)))
    else:
        _record_failure(engine, data, text)


def _record_failure(engine: Engine, data: Mapping[str, Any], text: str) -> None:
    kept = {key: value for key, value in data.items() if key != MOVED}
    engine.journal.append(Note("main", "done", text, {**kept, FAILED: True}))
