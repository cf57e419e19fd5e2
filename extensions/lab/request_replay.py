"""The model requests of a branch, rebuilt from the record by the code that built them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from agent.conversation.messages import BranchConversation, ConversationSettings, Reader, Recall, images_by_step
from agent.conversation.model_requests import reader_of, system_prompt
from agent.conversation.model_roles import CODER
from agent.models.base import Message
from trajectories.errors import SweAgentError
from trajectories.plugins import names
from trajectories.records import Note, Reply, Run, Step, Turn
from trajectories.trajectory import Requests, Trajectory


def requests_of(trajectory: Trajectory, recall: Recall) -> Requests:
    """Return the function `requests` of a run's view."""
    assert trajectory.run is not None
    reader = reader_factory(trajectory.run, trajectory.turns)
    return lambda branch: replay_requests(trajectory, branch, reader, recall)


def replay_requests(
    trajectory: Trajectory, branch: str, reader: Callable[[str, int], Reader], recall: Recall | None = None
) -> Iterator[list[Message]]:
    """Yield the messages of each answered request, in the order of the replies; the last reply is therefore not
    included.

    `reader` takes a model's name and the index of a turn, and returns the properties of the model in this turn. Without
    `recall`, the pictures of observations are left out. Each
    request usually extends the previous one. After a rewind, or for another model or other prompts, the conversation is
    rebuilt from its start.
    """
    conversation = BranchConversation(recall)
    steps, count = trajectory.steps[branch], 0
    images = images_by_step(trajectory, branch)
    overflows = [note for note in trajectory.notes if note.kind == "overflow" and note.branch == branch]
    turn = -1
    prompts: Mapping[str, str] = {}
    roles = {step.reply: step.author for step in trajectory.steps[branch] if step.reply is not None}
    for record in trajectory.records:
        match record:
            case Turn():
                turn += 1
                prompts = record.prompts or (trajectory.run.prompts if trajectory.run else {})
            case Step() if record.branch == branch:
                count += 1
            case Reply() if record.branch == branch:
                system = system_prompt(prompts, roles.get(record.ask, CODER))
                model = reader(record.model, turn)
                limits = [_limit(note) for note in overflows if note.data["model"] == model.model]
                settings = ConversationSettings(system, model, limits, images)
                talk = conversation.add_steps(record.ask, settings, steps[:count], trajectory.replies)
                talk.decide(record.ask)
                yield talk.messages


def reader_factory(run: Run, turns: Sequence[Turn]) -> Callable[[str, int], Reader]:
    """Return a function that looks up the properties of a model in a turn from the recorded settings, without using the
    model's API key."""

    @cache
    def reader(name: str, turn: int) -> Reader:
        return _reader(name, _tables(run, turns[: turn + 1]))

    return reader


def _tables(run: Run, turns: Iterable[Turn]) -> Mapping[str, Any]:
    recorded = [run.settings, *(turn.settings for turn in turns)]
    return next((settings["models"] for settings in reversed(recorded) if "models" in settings), {})


def _reader(name: str, tables: Mapping[str, Any]) -> Reader:
    from agent.config.model_table import ModelTable
    from agent.config.settings import Settings
    from agent.models.base import load_model
    from agent.models.provider import facts_of

    try:
        settings = Settings(models={table: ModelTable(**table_values) for table, table_values in tables.items()})
        kind, colon, _ = name.partition(":")
        if colon and kind in names("agent.models"):
            return reader_of(name, load_model(name, settings))
        return reader_of(name, facts_of(name, settings.model_table(name, name.partition("/")[2])))
    except (SweAgentError, ValueError, TypeError):  # the settings are from another version, or a script is missing
        return Reader(name)


def _limit(note: Note) -> tuple[int, int]:
    return note.data["ask"], note.data["characters"]
