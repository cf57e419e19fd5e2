"""The request of a branch: its messages, its model, and the user's unread messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from agent.conversation.messages import BranchConversation, ConversationSettings, ModelRequest, Reader, images_by_step
from agent.conversation.model_roles import CODER
from agent.limits.run_budget import UNKNOWN, Price
from trajectories.records import Note, Reply, Step

if TYPE_CHECKING:
    from agent.conversation.run_models import RunModels
    from agent.models.base import Model
    from trajectories.trajectory import Trajectory


def build_request(
    conversation: BranchConversation,
    trajectory: Trajectory,
    branch: str,
    ask: int,
    system: str,
    steps: Sequence[Step],
    model: Model,
) -> ModelRequest:
    """Return request number `ask` of a branch, whose steps so far are `steps`, to a model."""
    limits = [
        (note.data["ask"], note.data["characters"])
        for note in trajectory.notes
        if note.kind == "overflow" and note.branch == branch and note.data["model"] == model.name
    ]
    images = images_by_step(trajectory, branch)
    settings = ConversationSettings(system, reader_of(model.name, model), limits, images)
    return conversation.request(ask, settings, steps, trajectory.replies)


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


def model_for_role(models: RunModels, role: str, branch: str, last: Reply | None, notes: Sequence[Note]) -> Model:
    """Return the role's model, or its fallback if the fallback gave the `last` reply in this branch and so has the
    conversation cached.

    `notes` are those of the current turn: earlier turns are ignored, because the user may have chosen another model
    since.
    """
    first = model = models.of_role(role)
    changes = [note for note in notes if note.kind in ("fallback", "forked")]
    if not any(note.branch == branch for note in takewhile(lambda note: note.kind != "forked", reversed(changes))):
        return first  # no fallback was used since the last fork, for which the user chose the model
    seen = set()
    while last and model.name != last.model and model.fallback and model.name not in seen:
        seen.add(model.name)
        model = models.named(model.fallback)
    return model if last and model.name == last.model else first


def unread_messages(trajectory: Trajectory, branch: str, steps: Sequence[Step]) -> list[Note]:
    """Return the user's messages to a branch that are not among its steps yet."""
    read = sum(step.author == "user" for step in steps)
    return [note for note in trajectory.notes if note.branch == branch and note.kind == "message"][read:]


def is_superseded(trajectory: Trajectory, reply: Reply) -> bool:
    """Return whether the user has sent a message since this reply, for which no step was recorded."""
    for record in reversed(trajectory.records):
        if record is reply:
            return False
        if isinstance(record, Note) and record.kind == "message" and record.branch == reply.branch:
            return True
    return False
