"""The model requests of a branch, rebuilt from the record by the code that built them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from agent.conversation.compaction import Compaction
from agent.conversation.messages import Reader, add, images_by_step
from agent.conversation.model_roles import CODER
from agent.conversation.request_builder import reader_of, system_prompt
from agent.models.base import Message
from agent.run_state.rewind import rewind_target, rewinds, visible_steps
from trajectories.errors import SweAgentError
from trajectories.plugins import names
from trajectories.records import Note, Reply, Run, Step, Turn
from trajectories.trajectory import Trajectory


def replay_requests(
    trajectory: Trajectory, branch: str, reader: Callable[[str, int], Reader]
) -> Iterator[list[Message]]:
    """Yield the messages of each answered request, in the order of the replies; the last reply is therefore not
    included.

    `reader` takes a model's name and the index of a turn, and returns the properties of the model in this turn. Each
    request usually extends the previous one. After a rewind, or for another model or other prompts, the conversation is
    rebuilt from its start.
    """
    conversation = _Conversation(trajectory, branch)
    turn = -1
    prompts: Mapping[str, str] = {}
    roles = {step.reply: step.author for step in trajectory.steps[branch] if step.reply is not None}
    for record in trajectory.records:
        match record:
            case Turn():
                turn += 1
                prompts = record.prompts or (trajectory.run.prompts if trajectory.run else {})
            case Step() if record.branch == branch:
                conversation.add(record)
            case Reply() if record.branch == branch:
                system = system_prompt(prompts, roles.get(record.ask, CODER))
                yield conversation.messages(record.ask, system, reader(record.model, turn))


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
    from agent.config.settings import ModelTable, Settings
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


class _Conversation:
    """Builds the conversation of a branch, and rebuilds it from its start where necessary."""

    def __init__(self, trajectory: Trajectory, branch: str) -> None:
        self._replies = trajectory.replies
        self._steps = trajectory.steps[branch]
        self._images = images_by_step(trajectory, branch)
        self._shortened = [note for note in trajectory.notes if note.kind == "overflow" and note.branch == branch]
        self._count = 0
        """Number of steps added so far."""
        self._included = -1
        """Number of steps in the conversation; -1 if it must be rebuilt."""
        self._last_answered = 0
        """Number of the request that was answered last."""
        self._built_for: tuple[str, Reader] | None = None
        self._compaction = Compaction()
        self._taken_calls: set[str] = set()

    def add(self, step: Step) -> None:
        self._count += 1
        if rewind_target(step) is not None or rewinds(step) is not None:
            self._included = -1

    def messages(self, ask: int, system: str, reader: Reader) -> list[Message]:
        later = self._steps[max(self._included, 0) : self._count]
        acted_on = not self._last_answered or any(step.reply == self._last_answered for step in later)
        if self._included < 0 or self._built_for != (system, reader) or not acted_on:
            self._begin(system, reader)
        else:
            for step in later:
                self._include(step, reader)
        self._included = self._count
        self._compaction.decide(ask)
        self._last_answered = ask
        return self._compaction.messages

    def _begin(self, system: str, reader: Reader) -> None:
        self._built_for, self._taken_calls, self._last_answered = (system, reader), set(), 0
        limits = [_limit(note) for note in self._shortened if note.data["model"] == reader.model]
        self._compaction = Compaction(reader.window, reader.cached, limits)
        if system:
            self._compaction.say({"role": "system", "content": system})
        for step in visible_steps(self._steps[: self._count]):
            self._include(step, reader)

    def _include(self, step: Step, reader: Reader) -> None:
        if step.reply is not None and step.reply != self._last_answered:
            self._compaction.decide(step.reply)
        add(self._compaction, step, self._replies, reader, self._images, self._taken_calls)


def _limit(note: Note) -> tuple[int, int]:
    return note.data["ask"], note.data["characters"]
