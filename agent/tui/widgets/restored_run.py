"""A run's records as the conversation shows them, for one that is taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.session.standing import is_proof
from agent.tui.blocks import Item, Phase, Words
from agent.tui.endings import Proven, ended
from agent.tui.steps import Outputs, Taken
from trajectories.records import Exit, Note, Run, Step, Turn

if TYPE_CHECKING:
    from trajectories.records import Record, Reply

SHORT = 4
"""Lines of a message to the model that say nothing new to the user."""
CLOSING = ("undo", "compact")
"""Authors whose message is told at the end of their turn, and is on the record as a step alone."""
NAMED = {"by-hand": "test"}
"""What a strategy that was asked for by a command alone is called, if not as the command."""
SHOWN = ("phase", "candidate", "summary")
"""Notes that say how a strategy goes about it."""


def items(records: Sequence[Record], replies: Mapping[tuple[str, int], Reply], outputs: Outputs) -> Iterator[Item]:
    """Everything that a user saw, or would have seen."""
    turns, proof = 0, None
    for record in records:
        turns += isinstance(record, Turn)
        proof = None if isinstance(record, Turn) else record if is_proof(record) else proof
        match record:
            case Run():
                yield Words(record.issue.text)
            case Turn() if turns > 1:
                yield Words(record.request or f"/{NAMED.get(record.strategy, record.strategy)}")
            case Note(kind="message"):
                yield Words(record.text, late=True)
            case Note() if record.kind in SHOWN:
                yield Phase(record.text)
            case Step() if not restated(record):
                yield of_step(record, replies.get((record.branch, record.reply or 0)), outputs)
            case Exit():
                yield from ended(record, proof=proof)
            case _:
                pass


def restated(step: Step) -> bool:
    """Whether it only puts the user's words before the model, who are told of them already."""
    said = "\n".join(observation.text for observation in step.observations)
    return step.author == "task" and not step.actions and said.count("\n") < SHORT


def of_step(step: Step, reply: Reply | None, outputs: Outputs) -> Item:
    """A proof is shown as what it found."""
    if step.author == "proof" and step.observations and "verdict" in step.observations[0].data:
        return Proven(step)
    return Taken(step, reply, outputs)
