"""What happened in a run, in order: steps, notes, later turns, ends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trajectories.material import NOT_CHECKED, Material
from trajectories.records import Action, Exit, Note, Observation, Step, Turn
from trajectories.report.branches import Structure
from trajectories.report.costs import Costs
from trajectories.report.diffs import PairDiff
from trajectories.report.words import Words, fits, when


@dataclass(frozen=True)
class Telling:
    """A run with all that is known of it, for telling its items. `diffs` is what each step changed."""

    material: Material
    words: Words
    structure: Structure
    spent: Costs
    diffs: Sequence[PairDiff]


def items(telling: Telling) -> Iterator[dict[str, Any]]:
    """Each record that a reader wants to see. A message of a user's is told by the step in which it was read."""
    trajectory = telling.material.trajectory
    read = Counter(step.branch for step in trajectory.all_steps() if step.author == "user")
    number = turns = 0
    for record in trajectory.records:
        if isinstance(record, Step):
            yield _step(telling, record, number)
            number += 1
        elif isinstance(record, Note):
            if record.kind == "message" and read[record.branch] > 0:
                read[record.branch] -= 1
            else:
                yield _note(record)
        elif isinstance(record, Turn):
            turns += 1
            if len(trajectory.turns) > 1:
                yield _turn(telling, record, turns)
        elif isinstance(record, Exit):
            yield {
                "kind": "exit",
                "ended": ended(record, telling.words, telling.material.untrusted),
                "at": when(record.at),
            }


def ended(exit: Exit, words: Words, untrusted: bool = False) -> dict[str, Any]:
    """How a run or a turn of it ended; of an `untrusted` run what somebody else claims."""
    return {
        "kind": f"claimed: {exit.kind}" if untrusted else exit.kind,
        "words": NOT_CHECKED if untrusted else words.endings.get(exit.kind, ""),
        "code": exit.code,
        "message": exit.message,
        "fix": exit.fix,
        "seconds": round(exit.seconds, 1),
    }


def _turn(telling: Telling, turn: Turn, number: int) -> dict[str, Any]:
    first = telling.material.trajectory.run if number == 1 else None
    request = turn.request or (first.issue.text if first else "")
    told = {"n": number, "request": request, "strategy": turn.strategy}
    return {"kind": "turn", **told, "model": turn.models.get("coder", ""), "at": when(turn.at)}


def _note(note: Note) -> dict[str, Any]:
    told = {"branch": note.branch, "note": note.kind, "text": note.text, "data": note.data if fits(note.data) else {}}
    return {"kind": "note", **told, "at": when(note.at)}


def _step(telling: Telling, step: Step, number: int) -> dict[str, Any]:
    trajectory, ask = telling.material.trajectory, (step.branch, step.reply or 0)
    reply = trajectory.replies.get(ask) if step.reply is not None else None
    used = telling.spent.asks.get(ask) if step.reply is not None else None
    diff = telling.diffs[number]
    acted = len(step.actions)
    return {
        "kind": "step",
        "id": step.id,
        "branch": step.branch,
        "n": step.n,
        "author": step.author,
        "at": when(step.at),
        "phase": telling.structure.phase_of[number],
        "text": reply.text if reply else "",
        "reasoning": reply.reasoning if reply else "",
        "error": step.error,
        "actions": [_action(telling, step, at) for at in range(acted)],
        "said": "\n".join(seen.text for seen in step.observations[acted:]),
        "files": [
            {"path": file.path, "status": file.status, "diff": file.diff, "cut": file.cut} for file in diff.files
        ],
        "more_files": diff.count - len(diff.files),
        "usage": used.told() if used else None,
    }


def _action(telling: Telling, step: Step, at: int) -> dict[str, Any]:
    action = step.actions[at]
    seen = step.observations[at] if at < len(step.observations) else Observation("", ok=False)
    return {
        "tool": action.tool,
        "summary": telling.words.describe(action),
        "arguments": arguments(action),
        "ok": seen.ok,
        "text": seen.text,
        "out": seen.out,
        "size": _size(telling.material, seen.out),
    }


def arguments(action: Action) -> str:
    """An action's arguments for people: a line each, but of a text with many lines all of them, as they are."""
    if action.error:
        return action.error
    told = []
    for name, value in action.arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        told.append(f"{name}:\n{text.rstrip()}" if "\n" in text else f"{name}: {text}")
    return "\n".join(told)


def _size(material: Material, number: int | None) -> int | None:
    """Bytes of the whole output, if there is one."""
    if number is None or material.directory is None:
        return None
    try:
        return (material.directory / "out" / str(number)).stat().st_size
    except OSError:
        return None
