"""Approvals: questions to the user before anything leaves the workspace, and their answers.

A run asks through `Engine.approve`. By default this allows whatever no rule denies; a session asks its user.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, get_args

Kind = Literal["command", "network", "apply", "commit", "branch", "hooks", "issue"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Scope = Literal["once", "session", "project"]
FORBIDDEN = "A configured rule denies it: {}."


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to the user: may this be done?

    `detail` is the text that the user should see before answering (a diff, the reasons). `parts` are the texts to
    choose from (the hunks of a diff); empty for all or nothing. `subject` is the text that rules apply to: a command
    line; or hosts, paths or a branch, one a line. `root` is the repository's folder and `folder` the one in which a
    command runs; setting `cancel` ends the wait with the answer no. `message` is the commit message, shown above the
    commit's diff. `other_names` returns further names of the paths, to which only denying rules apply; None if they are
    unknown.

    `why` explains why no rule may allow it, so that it can be allowed only once; rules may find more such reasons. The
    session adds `why`, `id`, which the answer repeats, and `always`, the rules that a lasting yes would store.
    """

    kind: Kind
    title: str
    subject: str = ""
    detail: str = ""
    parts: tuple[str, ...] = ()
    root: str = ""
    folder: str = ""
    cancel: Event | None = field(default=None, compare=False, repr=False)
    other_names: Callable[[], Collection[str] | None] = field(default=tuple, compare=False, repr=False)
    id: int = 0
    always: tuple[str, ...] = ()
    why: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The user's answer. `scope` says how long it applies to similar questions; `project` is stored in the user's
    state, for the repository.

    `chosen` holds the numbers of parts, from 0; None for all. If the answer is no, `reason` is reported to the model.
    """

    yes: bool
    scope: Scope = "once"
    reason: str = ""
    chosen: tuple[int, ...] | None = None


Approve = Callable[[Approval], Answer]
