"""The read-only view of a run for reports, exports and comparisons: records, files, and requests to models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.file_limits import read_limited
from trajectories.records import Patch, Spent, Step
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees

Message = dict[str, Any]
"""A message of a conversation, in OpenAI's chat format."""
HAND = "hand"
"""The author of actions that the user runs by hand."""
NOT_CHECKED = "Recorded by someone else; not verified here."
"""Remark on the results of a run that is not the user's own."""
Requests = Callable[[str], Iterator[Sequence[Message]]]
Answers = Callable[[str], Iterator[Message | None]]


def no_requests(branch: str) -> Iterator[Sequence[Message]]:
    """Return no requests, for a run that called no model."""
    return iter(())


def no_answers(branch: str) -> Iterator[None]:
    return repeat(None)


def call_id(given: str, other: str, taken: set[str]) -> str:
    """Return a unique id for a tool call, and add it to `taken`. It is the provider's id, or `other` if that id is
    empty or in use: some servers restart their numbering with each reply, and others reject duplicate ids."""
    name = given if given and given not in taken else other
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def observation_message(step: Step) -> str:
    """Return the message for the next request that contains a step's observations, if native tool calls are not used.
    Actions that the model wrote as text in its reply are not repeated."""
    who = "The user" if step.author == HAND else step.author
    own = step.actions if step.reply is None else ()
    done = [f"{who} called {action.tool}({json.dumps(action.arguments)})" for action in own]
    return "\n".join([*done, *(observation.text for observation in step.observations)])


def empty_patch() -> Patch:
    return Patch()


@dataclass(frozen=True)
class RunView:
    """A read-only view of a run. `name` is the run's name, or the file name of an imported trajectory, which has
    neither `directory` nor `trees`.

    `requests(branch)` yields the messages of each request of the branch, in the order of the replies; the messages are
    empty if they are unknown. No request contains the last reply. The requests share their messages, so do not modify
    them. `answers(branch)` yields each reply in the form in which the original program of an imported trajectory sent
    it back to the model, or None if the record itself is complete. `patch()` is the submitted patch, or the current one
    of a run that has not ended. An `untrusted` run is not the user's own: its verdicts are shown as claims and prove
    nothing.
    """

    name: str
    trajectory: Trajectory
    spent: Spent
    directory: Path | None = None
    trees: Trees | None = None
    requests: Requests = no_requests
    answers: Answers = no_answers
    patch: Callable[[], Patch] = empty_patch
    untrusted: bool = False

    @property
    def is_ours(self) -> bool:
        return self.directory is not None

    def output(self, number: int) -> bytes:
        """Return the full output at `out:number`. Raises OSError if it cannot be read, and UsageError if it is too
        large."""
        if self.directory is None:
            raise FileNotFoundError(f"out:{number}")
        return read_limited(self.directory / "out" / str(number), inside=self.directory)

    def close(self) -> None:
        """Stop the process that reads the run's trees."""
        if self.trees is not None:
            self.trees.close()
