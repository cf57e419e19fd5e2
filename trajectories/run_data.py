"""A run as reports, exports and comparisons read it: its records, its files, and what a model was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.limits import read_limited
from trajectories.records import Patch, Spent, Step
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from trajectories.trees import Trees

Message = dict[str, Any]
"""One of a conversation, in OpenAI's chat form."""
HAND = "hand"
"""The author of what the user does by hand."""
NOT_CHECKED = "Recorded by somebody else; not checked here."
"""Of the results of a run that is not the user's own."""
Requests = Callable[[str], Iterator[Sequence[Message]]]
Answers = Callable[[str], Iterator[Message | None]]


def nothing_sent(branch: str) -> Iterator[Sequence[Message]]:
    """Of a run in which no model was asked."""
    return iter(())


def by_the_record(branch: str) -> Iterator[None]:
    return repeat(None)


def call_id(given: str, other: str, taken: set[str]) -> str:
    """What a call is known by, added to what is `taken`: the provider's own id, or the `other` where that is none or
    names another call (some servers begin anew with each reply, and others refuse an id twice)."""
    name = given if given and given not in taken else other
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def told(step: Step) -> str:
    """What a step without a model's tool calls says to the next ask. Actions that a reply has written as text stand
    there already."""
    who = "The user" if step.author == HAND else step.author
    own = step.actions if step.reply is None else ()
    done = [f"{who} called {action.tool}({json.dumps(action.arguments)})" for action in own]
    return "\n".join([*done, *(observation.text for observation in step.observations)])


def nothing_changed() -> Patch:
    return Patch()


@dataclass(frozen=True)
class Material:
    """A run to be read, never written to. `name` is the run's, or the file's of a trajectory of another program's,
    which has neither `directory` nor `trees`.

    `requests(branch)` gives what each ask of the branch was sent, in the order of its replies, no message where nobody
    knows it; the last reply is not in them. The messages are shared between them: nobody changes one.
    `answers(branch)` gives each reply as another program sent it later, None where the record says all of it.
    `patch()` is what was handed in, or what a run that has not ended has come to.
    An `untrusted` run is not the user's own: its verdicts are shown as claims, and prove nothing.
    """

    name: str
    trajectory: Trajectory
    spent: Spent
    directory: Path | None = None
    trees: Trees | None = None
    requests: Requests = nothing_sent
    answers: Answers = by_the_record
    patch: Callable[[], Patch] = nothing_changed
    untrusted: bool = False

    @property
    def is_ours(self) -> bool:
        return self.directory is not None

    def output(self, number: int) -> bytes:
        """The whole output at `out:number`. Raises OSError where it cannot be read, UsageError if it is too large."""
        if self.directory is None:
            raise FileNotFoundError(f"out:{number}")
        return read_limited(self.directory / "out" / str(number), inside=self.directory)

    def close(self) -> None:
        """End what reads its trees."""
        if self.trees is not None:
            self.trees.close()
