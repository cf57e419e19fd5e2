"""Approvals: questions to the user before anything leaves the workspace, and their answers.

A run asks through `Engine.approve`. By default it allows everything that no rule denies; an interactive session asks
its user.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, get_args

Kind = Literal["command", "network", "apply", "commit", "branch", "hooks", "issue", "mcp", "agent", "question"]
KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "question")
"""The kinds that permission rules can name."""
Scope = Literal["once", "session", "project"]
FORBIDDEN = "A configured rule denies it: {}."


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for the user's approval of an action.

    `detail` is the text that the user should see before answering (a diff, the reasons). `parts` are the parts that can
    be approved separately (the hunks of a diff); empty if only the whole can be approved. `subject` is the text that
    rules apply to: a command line, the name of an MCP server's tool or of an agent, or hosts, paths or a branch, one
    per line. `root` is the repository's folder, and `folder` is the working directory of a command; setting `cancel`
    ends the wait with the answer no. `message` is the commit message, shown above the commit's diff. `other_names`
    returns other paths of the same files, to which only denying rules apply; None if they are unknown.

    `why` is the reason why no rule may allow the action, so that the user can only allow it once; the rules may find
    further reasons. The session sets `why`, the `id` that the answer repeats, and `always`, the rules to store if the
    user always allows the action. `needs_user` means that the answer is no if no user can be asked. `pin`
    is a hash of what the subject is now: a stored rule that allows the subject applies only with the same pin.
    `is_allowed` means that the user's config allows it, unless a rule denies it.

    `choices` are the options of a multiple-choice question of the model, of kind `question`, which allows nothing.
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
    needs_user: bool = False
    pin: str = ""
    is_allowed: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The user's answer. `scope` says how long the answer applies to similar questions; with `project`, it is stored
    for the repository in the user's state.

    `chosen` holds the indices of the approved parts; None means all. If the answer is no, `reason` is reported to the
    model. `message` is the commit message if the user edited it, or "". The answer to a multiple-choice question is yes
    with one index, or with the user's own words as `reason`.
    """

    yes: bool
    scope: Scope = "once"
    reason: str = ""
    chosen: tuple[int, ...] | None = None
    message: str = ""


Approve = Callable[[Approval], Answer]
