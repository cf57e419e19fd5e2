"""What a user is asked before something leaves the workspace, and what may be answered.

A run asks through `Engine.approve`. By itself it allows all, as it was told to do by flags; a session asks its user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["command", "network", "apply", "commit", "branch"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A question: may this be done? `detail` is what is to be seen before answering (a diff, the reasons).

    `parts` are what can be chosen from, one text each (the hunks of a diff); empty where it is all or nothing.
    `subject` is what rules are about: a command line, a host, a path.
    """

    kind: Kind
    title: str
    subject: str = ""
    detail: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """`scope` says how long it holds for what is like it; `project` is kept in the user's state, for the repository.

    `chosen` are numbers of parts, all if None. `reason` is told to the model with a no.
    """

    yes: bool
    scope: Literal["once", "session", "project"] = "once"
    reason: str = ""
    chosen: tuple[int, ...] | None = None


Approve = Callable[[Approval], Answer]


def allow(_: Approval) -> Answer:
    """The answer where nobody is to be asked."""
    return Answer(True)
