"""What a user is asked before something leaves the workspace, and what may be answered.

A run asks through `Engine.approve`. By itself it allows what no rule denies; a session asks its user.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from agent.settings import PermissionTable

Kind = Literal["command", "network", "apply", "commit", "branch", "hooks", "issue"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Scope = Literal["once", "session", "project"]
FORBIDDEN = "A rule of the configuration forbids it: {}."


@dataclass(frozen=True, slots=True)
class Approval:
    """A question: may this be done? `detail` is what is to be seen before answering (a diff, the reasons).

    `parts` are what can be chosen from, one text each (the hunks of a diff); empty where it is all or nothing.
    `subject` is what rules are about: a command line; hosts, paths or a branch, one a line. `root` is the folder in
    which a command runs; `cancel` ends the wait with a no. `message` is that of a commit, shown above its diff.
    `other_names` gives further names of the paths, which only rules that deny are about; None where they are not known.

    `why` says why no rule may allow it, so that it can be allowed once only; rules find more such reasons. The session
    adds them, `id`, which the answer names, and `always`, the rules that a yes for longer than once would keep.
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
    """`scope` says how long it holds for what is like it; `project` is kept in the user's state, for the repository.

    `chosen` are numbers of parts, from 0, all if None. `reason` is told to the model with a no.
    """

    yes: bool
    scope: Scope = "once"
    reason: str = ""
    chosen: tuple[int, ...] | None = None


Approve = Callable[[Approval], Answer]


def unless_denied(approval: Approval, permissions: PermissionTable) -> Answer:
    """The answer when no one can be asked: yes, unless a rule denies it."""
    if not permissions.deny:
        return Answer(True)
    from agent.judging import judge
    from agent.permissions import rules_of

    decision = judge(approval, list(rules_of(permissions.deny)), ())
    rules = ", ".join(map(str, decision.rules))
    return Answer(True) if decision.yes is not False else Answer(False, reason=FORBIDDEN.format(rules))
