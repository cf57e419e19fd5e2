"""What each ask of a branch was sent, made again from the record by what made it then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from agent.backtrack import goes_back, in_short, rewinds
from agent.casting import CODER
from agent.context import Reader, add, illustrated
from agent.folding import Folding
from agent.models.base import Message
from agent.reading import reader_of, system_of
from trajectories.errors import SweAgentError
from trajectories.plugins import names
from trajectories.records import Note, Reply, Run, Step, Turn
from trajectories.trajectory import Trajectory


def sent(trajectory: Trajectory, branch: str, reader: Callable[[str, int], Reader]) -> Iterator[list[Message]]:
    """The messages of each ask that was answered, in the order of the replies; the last reply is in none of them.

    `reader` gives the model of a name as turn number (from 0) had it. A conversation goes on from one ask to the next;
    it is told anew where it was rewritten: by going back, by another model, by other prompts.
    """
    telling = _Telling(trajectory, branch)
    turn = -1
    prompts: Mapping[str, str] = {}
    roles = {step.reply: step.author for step in trajectory.steps[branch] if step.reply is not None}
    for record in trajectory.records:
        match record:
            case Turn():
                turn += 1
                prompts = record.prompts or (trajectory.run.prompts if trajectory.run else {})
            case Step() if record.branch == branch:
                telling.add(record)
            case Reply() if record.branch == branch:
                system = system_of(prompts, roles.get(record.ask, CODER))
                yield telling.asked(record.ask, system, reader(record.model, turn))


def readers(run: Run, turns: Sequence[Turn]) -> Callable[[str, int], Reader]:
    """What was known of each model in each turn: by the settings on the record, and without its key."""

    @cache
    def reader(name: str, turn: int) -> Reader:
        return _reader(name, _tables(run, turns[: turn + 1]))

    return reader


def _tables(run: Run, turns: Iterable[Turn]) -> Mapping[str, Any]:
    said = [run.settings, *(turn.settings for turn in turns)]
    return next((settings["models"] for settings in reversed(said) if "models" in settings), {})


def _reader(name: str, tables: Mapping[str, Any]) -> Reader:
    from agent.models.base import load_model
    from agent.models.provider import facts_of
    from agent.settings import ModelTable, Settings

    try:
        settings = Settings(models={table: ModelTable(**said) for table, said in tables.items()})
        kind, colon, _ = name.partition(":")
        if colon and kind in names("agent.models"):
            return reader_of(name, load_model(name, settings))
        return reader_of(name, facts_of(name, settings.model_table(name, name.partition("/")[2])))
    except (SweAgentError, ValueError, TypeError):  # another version's settings, a script that is gone
        return Reader(name)


class _Telling:
    """A conversation that is told from its beginning as often as it has to be."""

    def __init__(self, trajectory: Trajectory, branch: str) -> None:
        self._replies = trajectory.replies
        self._steps = trajectory.steps[branch]
        self._images = illustrated(trajectory, branch)
        self._shortened = [note for note in trajectory.notes if note.kind == "overflow" and note.branch == branch]
        self._count = 0
        """Steps so far."""
        self._told = -1
        """Those that the conversation has; -1 where it is to be told anew."""
        self._decided = 0
        """The ask that was answered last."""
        self._with: tuple[str, Reader] | None = None
        self._talk = Folding()
        self._taken: set[str] = set()

    def add(self, step: Step) -> None:
        self._count += 1
        if goes_back(step) is not None or rewinds(step) is not None:
            self._told = -1

    def asked(self, ask: int, system: str, reader: Reader) -> list[Message]:
        later = self._steps[max(self._told, 0) : self._count]
        acted_on = not self._decided or any(step.reply == self._decided for step in later)
        if self._told < 0 or self._with != (system, reader) or not acted_on:
            self._begin(system, reader)
        else:
            for step in later:
                self._tell(step, reader)
        self._told = self._count
        self._talk.decide(ask)
        self._decided = ask
        return self._talk.messages

    def _begin(self, system: str, reader: Reader) -> None:
        self._with, self._taken, self._decided = (system, reader), set(), 0
        limits = [_limit(note) for note in self._shortened if note.data["model"] == reader.model]
        self._talk = Folding(reader.window, reader.cached, limits)
        if system:
            self._talk.say({"role": "system", "content": system})
        for step in in_short(self._steps[: self._count]):
            self._tell(step, reader)

    def _tell(self, step: Step, reader: Reader) -> None:
        if step.reply is not None and step.reply != self._decided:
            self._talk.decide(step.reply)
        add(self._talk, step, self._replies, reader, self._images, self._taken)


def _limit(note: Note) -> tuple[int, int]:
    return note.data["ask"], note.data["characters"]
