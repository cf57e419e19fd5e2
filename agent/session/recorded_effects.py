"""What is done to the user's files, on the record: the intent with both trees, then the deed, then that it is done.

A process may die between any two of these. Whoever comes next looks at the files before it does anything, so nothing is
done twice, and what was half done is brought to its end: the user had agreed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent.synced import EFFECT, FAILED, MOVED
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Note

if TYPE_CHECKING:
    from agent.engine import Engine

AGAIN = "Say /apply again: it looks at your files anew."


def name(engine: Engine, kind: str) -> str:
    """Of the next effect of this kind."""
    notes = [note for note in engine.trajectory.notes if note.kind == "intent"]
    return f"{kind} {1 + sum(str(note.data.get(EFFECT, '')).startswith(f'{kind} ') for note in notes)}"


def recorded(engine: Engine, data: Mapping[str, Any], do: Callable[[], Mapping[str, Any]], text: str) -> None:
    """Do something to the user's repository; what `do` returns goes to the record too. What it raises goes on, and the
    record says that nothing was done."""
    engine.journal.append(Note("main", "intent", str(data[EFFECT]), dict(data)))
    try:
        found = do()
    except (SweAgentError, OSError) as error:
        _failed(engine, data, f"{data[EFFECT]} was not done: {error}")
        raise
    engine.journal.append(Note("main", "done", text, {**data, **found}))


def write(engine: Engine, old: str, new: str) -> None:
    """Bring the user's working tree from one tree to another: whole or not at all, never index or HEAD.

    Raises UsageError, with nothing changed, where a file is no longer as it was in `old`.
    """
    try:
        engine.repository.apply(engine.trees.diff(old, new), engine.run.base)
    except UsageError as error:
        raise UsageError(error.message, AGAIN) from error


def settle(engine: Engine) -> list[str]:
    """Bring to its end what a process that died had begun; says what was found."""
    return [_settled(engine, data) for data in list(unknown(engine, "apply"))]


def unknown(engine: Engine, kind: str) -> Iterator[Mapping[str, Any]]:
    """The intents of which nobody knows whether they were done."""
    notes = engine.trajectory.notes
    known = {note.data.get(EFFECT) for note in notes if note.kind == "done"}
    for note in notes:
        effect = str(note.data.get(EFFECT, ""))
        if note.kind == "intent" and effect.startswith(f"{kind} ") and effect not in known:
            yield note.data


def _settled(engine: Engine, data: Mapping[str, Any]) -> str:
    trees, now = engine.trees, engine.working_tree.tree()
    paths = [change.path for change in trees.changed(data["host"], data["after"])]
    states = {path: _state(engine, now, path, data) for path in paths}
    left = [path for path, state in states.items() if state in ("before", "torn")]
    if left and not {"after", "torn"} & set(states.values()):
        text = "The session ended before it could apply what you had agreed to. Say /apply to be asked again."
        _failed(engine, data, text)
        return text
    if left:
        write(engine, now, trees.overlay(now, data["after"], left))
    text = "The session ended while it applied what you had agreed to; it is applied now."
    if other := [path for path, state in states.items() if state == "other"]:
        text += f" Look at {', '.join(other)}: neither as before nor as after."
    engine.journal.append(Note("main", "done", text, dict(data)))
    return text


def _state(engine: Engine, now: str, path: str, data: Mapping[str, Any]) -> str:
    """How a file that was to be written was left: `before`, `after`, `torn` (gone, or half written), or `other`."""
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


def known(engine: Engine, data: Mapping[str, Any], done: bool, text: str) -> None:
    """Put on the record whether what a process that died had begun was done."""
    if done:
        engine.journal.append(Note("main", "done", text, dict(data)))
    else:
        _failed(engine, data, text)


def _failed(engine: Engine, data: Mapping[str, Any], text: str) -> None:
    kept = {key: value for key, value in data.items() if key != MOVED}
    engine.journal.append(Note("main", "done", text, {**kept, FAILED: True}))
