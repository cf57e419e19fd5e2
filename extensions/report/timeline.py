"""The timeline of a run for a report: steps, notes, later turns, exits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from extensions.report.report_pictures import ReportPictures
from extensions.report.report_text import ReportText
from extensions.report.tree_diffs import PairDiff
from trajectories.branch_structure import Structure
from trajectories.outcome_words import run_ending
from trajectories.page_picture import picture_number
from trajectories.record_text import arguments, format_time, is_short_data
from trajectories.records import Exit, Note, Observation, Step, Turn
from trajectories.reply_costs import Costs
from trajectories.trajectory import NOT_CHECKED, RunView


@dataclass(frozen=True)
class TimelineContext:
    """A run with everything needed to build its timeline. `diffs` are the changes of each step."""

    material: RunView
    words: ReportText
    structure: Structure
    spent: Costs
    diffs: Sequence[PairDiff]
    pictures: ReportPictures


def items(context: TimelineContext) -> Iterator[dict[str, Any]]:
    """Yield the items of the timeline: steps, notes, turns and exits. A user's message is shown in the step that passed
    it to the model, if there is one."""
    trajectory = context.material.trajectory
    read = Counter(step.branch for step in trajectory.all_steps() if step.author == "user")
    number = turns = 0
    for record in trajectory.records:
        if isinstance(record, Step):
            yield _step(context, record, number)
            number += 1
        elif isinstance(record, Note):
            if record.kind == "message" and read[record.branch] > 0:
                read[record.branch] -= 1
            else:
                yield _note(record)
        elif isinstance(record, Turn):
            turns += 1
            if len(trajectory.turns) > 1:
                yield _turn(context, record, turns)
        elif isinstance(record, Exit):
            yield {
                "kind": "exit",
                "ended": ended(record, context.material),
                "at": format_time(record.at),
            }


def ended(exit: Exit, material: RunView) -> dict[str, Any]:
    """Return how a run or a turn ended, marked as a claim for an untrusted run."""
    ending = run_ending(material.trajectory, exit)
    return {
        "kind": f"claimed: {exit.kind}" if material.untrusted else exit.kind,
        "words": NOT_CHECKED if material.untrusted else ending.headline,
        "tone": "warning" if material.untrusted else ending.tone,
        "code": exit.code,
        "message": exit.message,
        "fix": exit.fix,
        "seconds": round(exit.seconds, 1),
    }


def _turn(context: TimelineContext, turn: Turn, number: int) -> dict[str, Any]:
    first = context.material.trajectory.run if number == 1 else None
    request = turn.request or (first.issue.text if first else "")
    fields = {"n": number, "request": request, "strategy": turn.strategy}
    return {"kind": "turn", **fields, "model": turn.models.get("coder", ""), "at": format_time(turn.at)}


def _note(note: Note) -> dict[str, Any]:
    fields = {
        "branch": note.branch,
        "note": note.kind,
        "text": note.text,
        "data": note.data if is_short_data(note.data) else {},
    }
    return {"kind": "note", **fields, "at": format_time(note.at)}


def _step(context: TimelineContext, step: Step, number: int) -> dict[str, Any]:
    trajectory, ask = context.material.trajectory, (step.branch, step.reply or 0)
    reply = trajectory.replies.get(ask) if step.reply is not None else None
    used = context.spent.asks.get(ask) if step.reply is not None else None
    diff = context.diffs[number]
    acted = len(step.actions)
    return {
        "kind": "step",
        "id": step.id,
        "branch": step.branch,
        "n": step.n,
        "author": step.author,
        "at": format_time(step.at),
        "phase": context.structure.phase_of[number],
        "text": reply.text if reply else "",
        "reasoning": reply.reasoning if reply else "",
        "error": step.error,
        "actions": [_action(context, step, at) for at in range(acted)],
        "said": "\n".join(seen.text for seen in step.observations[acted:]),
        "files": [
            {"path": file.path, "status": file.status, "diff": file.diff, "cut": file.cut} for file in diff.files
        ],
        "more_files": diff.count - len(diff.files),
        "usage": used.as_json() if used else None,
    }


def _action(context: TimelineContext, step: Step, at: int) -> dict[str, Any]:
    action = step.actions[at]
    seen = step.observations[at] if at < len(step.observations) else Observation("", ok=False)
    return {
        "tool": action.tool,
        "summary": context.words.describe(action),
        "arguments": arguments(action),
        "ok": seen.ok,
        "text": seen.text,
        "out": seen.out,
        "size": _size(context.material, seen.out),
        "picture": context.pictures.add(picture_number(seen)),
    }


def _size(material: RunView, number: int | None) -> int | None:
    """Return the size of the full output in bytes, if there is one."""
    if number is None or material.directory is None:
        return None
    try:
        return (material.directory / "out" / str(number)).stat().st_size
    except OSError:
        return None
