"""What a branch's model reads, which model that is, and what a user has said that it has not read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from agent.casting import CODER
from agent.context import Reader, Said, illustrated, messages
from agent.ledger import UNKNOWN, Price
from trajectories.records import Note, Reply

if TYPE_CHECKING:
    from agent.models.base import Model
    from agent.task import Task


def said(task: Task, role: str, model: Model) -> Said:
    """The conversation as the model is to read it."""
    engine, branch = task.engine, task.branch
    limits = [
        (note.data["ask"], note.data["characters"])
        for note in engine.trajectory.notes
        if note.kind == "overflow" and note.branch == branch and note.data["model"] == model.name
    ]
    reader = reader_of(model.name, model)
    system = system_of(task.prompts, role)
    pictures = illustrated(engine.trajectory, branch)
    return messages(system, task.steps, engine.trajectory.replies, reader, limits, pictures)


def system_of(prompts: Mapping[str, str], role: str) -> str:
    """What a role is told first: its own prompt, else the coder's."""
    return prompts.get(role, prompts.get(CODER, ""))


class Known(Protocol):
    """What there is to know of a model that reads."""

    @property
    def price(self) -> Price | None: ...
    @property
    def max_output(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def images(self) -> bool | None: ...


def reader_of(name: str, known: Known) -> Reader:
    return Reader(
        model=name,
        window=max(1, known.window - known.max_output) if known.window else 0,
        cached=known.price.cached_share if known.price else UNKNOWN,
        images=bool(known.images),
    )


def answering(task: Task, role: str) -> Model:
    """The model of the role; or its fallback, once that has answered here: the conversation is in its cache."""
    first = model = task.engine.model(role)
    last = task.engine.trajectory.replies.get((task.branch, task.asks - 1))
    notes = task.engine.trajectory.notes[task.heard_before :]  # a later turn's user may have chosen another model
    told = [note for note in notes if note.kind in ("fallback", "forked")]
    if not any(note.branch == task.branch for note in takewhile(lambda note: note.kind != "forked", reversed(told))):
        return first  # whoever forks a run chooses its model anew
    seen = set()
    while last and model.name != last.model and model.fallback and model.name not in seen:
        seen.add(model.name)
        model = task.engine.model_named(model.fallback)
    return model if last and model.name == last.model else first


def untold(task: Task) -> list[Note]:
    told = sum(step.author == "user" for step in task.steps)
    notes = [n for n in task.engine.trajectory.notes if n.branch == task.branch and n.kind == "message"]
    return notes[told:]


def is_overtaken(task: Task, reply: Reply) -> bool:
    """Whether a user said something after this reply, of which no step came: it was interrupted."""
    for record in reversed(task.engine.trajectory.records):
        if record is reply:
            return False
        if isinstance(record, Note) and record.kind == "message" and record.branch == task.branch:
            return True
    return False
