"""The conversation of a resumed run, made from its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from extensions.interactive.session.session_state import is_proof
from extensions.interactive.tui.widgets.conversation_items import Item, Phase, UserMessage
from extensions.interactive.tui.widgets.outcome_items import ProofItem, end_lines, page_lines
from extensions.interactive.tui.widgets.step_item import Outputs, PictureFile, StepItem, no_outputs, pictures_of
from trajectories.records import Exit, Note, Run, Step, Turn

if TYPE_CHECKING:
    from trajectories.records import Record, Reply
    from trajectories.trajectory import Trajectory

SHORT = 4
"""Maximum number of lines of a task message that is assumed to only repeat the user's message."""
CLOSING = ("undo", "compact", "rewind", "init")
"""Authors of steps whose message is shown at the end of the turn instead."""
NAMED = {"by-hand": "test"}
"""Command for each strategy whose command name differs from the strategy's name."""
SHOWN = ("phase", "candidate", "summary")
"""Kinds of notes about a strategy's progress that are shown."""


def run_items(
    records: Sequence[Record], trajectory: Trajectory, outputs: Outputs, picture: PictureFile = no_outputs
) -> Iterator[Item]:
    """Yield the items of a run as the user saw them."""
    turns, proof = 0, None
    for record in records:
        turns += isinstance(record, Turn)
        proof = None if isinstance(record, Turn) else record if is_proof(record) else proof
        match record:
            case Run():
                yield UserMessage(record.issue.text)
            case Turn() if turns > 1:
                yield UserMessage(record.request or f"/{NAMED.get(record.strategy, record.strategy)}")
            case Note(kind="message"):
                yield UserMessage(record.text, late=True)
            case Note() if record.kind in SHOWN:
                yield Phase(record.text)
            case Step() if not repeats_user_message(record):
                reply = trajectory.replies.get((record.branch, record.reply or 0))
                yield step_item(record, reply, outputs, trajectory.request_time(record), picture)
            case Exit():
                yield from end_lines(record, proof=proof)
            case _:
                pass


def repeats_user_message(step: Step) -> bool:
    """Return whether a step only repeats a user message that is already shown."""
    text = "\n".join(observation.text for observation in step.observations)
    return step.author == "task" and not step.actions and text.count("\n") < SHORT


def step_item(
    step: Step,
    reply: Reply | None,
    outputs: Outputs,
    sent: float | None = None,
    picture: PictureFile = no_outputs,
) -> Item:
    """Return the item of a step. Its request was sent at the time `sent`."""
    if step.author == "proof" and step.observations and "verdict" in step.observations[0].data:
        return ProofItem(step, pages=page_lines(step, picture))
    thought = reply.at - sent if reply is not None and sent is not None else 0.0
    seconds = thought + sum(seen.data.get("seconds", 0.0) for seen in step.observations)
    return StepItem(step, reply, outputs, seconds, pictures_of(step, picture))
