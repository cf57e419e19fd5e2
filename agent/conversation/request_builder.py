"""The request of a branch: its messages, its model, and the user's unread messages."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from agent.conversation.messages import ModelRequest, Reader, images_by_step, messages
from agent.conversation.model_roles import CODER
from agent.limits.run_budget import UNKNOWN, Price
from trajectories.records import Note, Reply

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.models.base import Model


def build_request(task: Task, role: str, model: Model) -> ModelRequest:
    """Return the next request of the task's branch to a model."""
    engine, branch = task.engine, task.branch
    limits = [
        (note.data["ask"], note.data["characters"])
        for note in engine.trajectory.notes
        if note.kind == "overflow" and note.branch == branch and note.data["model"] == model.name
    ]
    reader = reader_of(model.name, model)
    system = system_prompt(task.prompts, role)
    pictures = images_by_step(engine.trajectory, branch)
    return messages(system, task.steps, engine.trajectory.replies, reader, limits, pictures)


def system_prompt(prompts: Mapping[str, str], role: str) -> str:
    """Return a role's system prompt, or the coder's if the role has none."""
    return prompts.get(role, prompts.get(CODER, ""))


class ModelProperties(Protocol):
    """The properties of a model that matter for its requests."""

    @property
    def price(self) -> Price | None: ...
    @property
    def max_output(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def images(self) -> bool | None: ...


def reader_of(name: str, known: ModelProperties) -> Reader:
    return Reader(
        model=name,
        window=max(1, known.window - known.max_output) if known.window else 0,
        cached=known.price.cached_share if known.price else UNKNOWN,
        images=bool(known.images),
    )


def model_for_role(task: Task, role: str) -> Model:
    """Return the role's model, or its fallback if the fallback gave the last reply in this branch and so has the
    conversation cached."""
    first = model = task.engine.models.of_role(role)
    last = task.engine.trajectory.replies.get((task.branch, task.asks - 1))
    # Earlier turns are ignored: the user may have chosen another model since.
    notes = task.engine.trajectory.notes[task.heard_before :]
    changes = [note for note in notes if note.kind in ("fallback", "forked")]
    if not any(note.branch == task.branch for note in takewhile(lambda note: note.kind != "forked", reversed(changes))):
        return first  # no fallback was used since the last fork, for which the user chose the model
    seen = set()
    while last and model.name != last.model and model.fallback and model.name not in seen:
        seen.add(model.name)
        model = task.engine.models.named(model.fallback)
    return model if last and model.name == last.model else first


def unread_messages(task: Task) -> list[Note]:
    read = sum(step.author == "user" for step in task.steps)
    notes = [n for n in task.engine.trajectory.notes if n.branch == task.branch and n.kind == "message"]
    return notes[read:]


def is_superseded(task: Task, reply: Reply) -> bool:
    """Return whether the user has sent a message since this reply, for which no step was recorded."""
    for record in reversed(task.engine.trajectory.records):
        if record is reply:
            return False
        if isinstance(record, Note) and record.kind == "message" and record.branch == task.branch:
            return True
    return False
