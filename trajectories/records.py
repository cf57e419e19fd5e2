"""The records of a run: frozen dataclasses, each one JSON object on a line of the journal.

A record never changes once it is written. Everything else (messages for a model, the best patch, the costs)
is a pure function of the records. Times are seconds since the epoch. Paths are repository-relative and POSIX.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from trajectories.verdict import WHOLE, Verdict

VERSION = 5
"""Version of the journal's format; docs/journal.md lists what each version changed."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_EPOCH = time.time() - time.clock_gettime(_CLOCK)


def record_time() -> float:
    """Return the time for a record, in seconds since the epoch.

    If the machine's clock is set while this process runs, its records keep to the time of its start: the differences
    between their times are the durations that count towards a time limit.
    """
    return _EPOCH + time.clock_gettime(_CLOCK)


ANSWERED = "answered"
"""How a branch ends that only answers a question in text."""

PICTURE = "picture"
"""The key in an observation's data of the number of the stored output that holds its picture."""

PART = "part"
"""How a branch ends that has finished a part of a patch, which only counts together with the other parts."""

Trust = Literal["user", "member", "stranger"]
"""The author of a text: the user of this program, someone with write access to the repository, or anyone on the
internet."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on an issue, or a text to which the issue links. `at` is the time in ISO 8601, in UTC. `role` is the
    author's role on the platform, such as `OWNER` or `NONE`, or "" if the role is unknown. `about` is "" for a comment
    on the issue itself. For a linked text, `about` describes the source, such as `#12, closed pull request: Title`, or
    `src/a.py:10` for a comment on a line of code."""

    author: str
    body: str
    at: str = ""
    role: str = ""
    trust: Trust = "stranger"
    about: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class PastItem:
    """An earlier issue or pull request of the repository, as it was at the date of the base. `text` contains the body
    and the comments."""

    number: int
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """The issue to solve. `comments` contains the comments and the linked texts, oldest first. `images` contains
    pictures as `data:` URLs.

    `attachments` is the text of files that the user attached for the model. It is not part of the issue's own text.
    `past` contains earlier issues and pull requests. Only localization uses them; no prompt contains them.
    """

    title: str
    body: str = ""
    url: str = ""
    author: str = ""
    trust: Trust = "user"
    images: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()
    attachments: str = ""
    past: tuple[PastItem, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.title}\n\n{self.body}".strip()


@dataclass(frozen=True, slots=True)
class Base:
    """The state that a run starts from. `commit` is HEAD or the commit that the user named. `tree` contains the files,
    including the user's uncommitted edits, and `changes` is the number of files with such edits."""

    commit: str
    tree: str
    changes: int = 0
    left_out: tuple[str, ...] = ()
    """Untracked files of the user that are not in the tree, because they look like credentials."""

    def __str__(self) -> str:
        name = self.commit[:10]
        return f"{name} + {self.changes} change{'s' * (self.changes != 1)}" if self.changes else name


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call. `id` is the provider's id of the call. `error` says why the call could not be parsed."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of an action, as the model sees it.

    If the text was truncated, `out` is the number of the full output, such as 17 for `out:17`. `data` is for strategies
    and user interfaces; models do not see it.
    """

    text: str
    ok: bool = True
    out: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """The billed tokens of one request. `input_tokens` includes the tokens that were read from the provider's cache
    (`cached_tokens`) and those that were written to the cache (`written_tokens`). `dollars` is the cost that the
    provider states.

    If the provider's count of output tokens is too small for the text that arrived, `stated_output` is this count,
    `output_tokens` is an estimate, and the source of the settlement is `estimate`. Otherwise, `stated_output` is
    null."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    dollars: float | None = None
    written_tokens: int = 0
    stated_output: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """The total cost of a run; `dollars` is null if a request had no price."""

    dollars: float | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    calls: int
    held_tokens: int = 0
    """Tokens reserved for requests that are in flight or were never answered: they count against `max_tokens` and the
    budget."""
    held_dollars: float = 0.0
    """Dollars reserved for requests in flight; `dollars` includes them. The reservation of a request that was never
    answered counts as spent."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A diff against the base in two parts; predictions contain `source` only."""

    source: str = ""
    tests: str = ""
    tree: str = ""

    @property
    def diff(self) -> str:
        return self.source + self.tests

    def __bool__(self) -> bool:
        return bool(self.source or self.tests)


@dataclass(frozen=True, slots=True)
class Run:
    """The first record of every journal. `version` is the version of the journal's format. If the line has no
    `version`, the version is 1."""

    id: str
    issue: Issue
    repository: str
    base: Base
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    tools: tuple[dict[str, Any], ...] = ()
    version: int = VERSION
    at: float = field(default_factory=record_time)
    type: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Turn:
    """One user request and the work on it; `fix` starts a run with one turn, and a session can have many turns.

    `request` is the user's text; the request of the first turn is the run's issue. `prompts` contains the prompts of
    the strategy if they differ from those of the run. `settings` contains the settings that the user has changed since
    the previous turn. `images` contains pictures as `data:` URLs. `attachments` is the text of files that the user
    attached for the model.
    """

    request: str
    strategy: str
    models: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    attachments: str = ""
    at: float = field(default_factory=record_time)
    type: Literal["turn"] = "turn"


@dataclass(frozen=True, slots=True)
class Hold:
    """The reservation for one request: the maximum cost of the request, written to disk before the request is sent.
    `ask` is the number of the request in its branch. `attempt` counts how often the request was sent."""

    branch: str
    ask: int
    attempt: int
    model: str
    dollars: float | None
    tokens: int
    at: float = field(default_factory=record_time)
    type: Literal["hold"] = "hold"

    @property
    def id(self) -> str:
        return f"{self.branch}?{self.ask}.{self.attempt}"


@dataclass(frozen=True, slots=True)
class Settle:
    """The settlement of a hold: the cost of the request, and the source of this figure. A hold without a settlement is
    charged in full."""

    hold: str
    usage: Usage
    dollars: float | None
    source: Literal["usage", "estimate", "none"]
    at: float = field(default_factory=record_time)
    type: Literal["settle"] = "settle"


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply to request number `ask` of a branch. The record is written to disk before the actions run.

    `blocks` contains the provider's own data (signed thinking, encrypted reasoning), byte for byte. swe-agent sends
    this data back only to the model that `model` names.
    """

    text: str = ""
    actions: tuple[Action, ...] = ()
    reasoning: str = ""
    blocks: tuple[str, ...] = ()
    model: str = ""
    usage: Usage | None = None
    branch: str = ""
    ask: int = 0
    at: float = field(default_factory=record_time)
    type: Literal["reply"] = "reply"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a branch. The record is written after the last action of the step.

    `author` is the role that acted (such as `coder` or `reviewer`), `user`, or the name of a strategy or another part
    of swe-agent (such as `proof`). `reply` is the `ask` number of the model's reply, or null for a step without a
    model. If a step without a model has no actions, its observations contain a message.
    """

    branch: str
    n: int
    parent: str
    author: str
    tree: str
    reply: int | None = None
    actions: tuple[Action, ...] = ()
    observations: tuple[Observation, ...] = ()
    error: str = ""
    at: float = field(default_factory=record_time)
    type: Literal["step"] = "step"

    @property
    def id(self) -> str:
        return f"{self.branch}#{self.n}"


@dataclass(frozen=True, slots=True)
class Once:
    """A named result that a branch computes only once. Later, the result is read from this record."""

    branch: str
    name: str
    value: Any
    at: float = field(default_factory=record_time)
    type: Literal["once"] = "once"


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation. Its `kind` says what the annotation describes. For example, it describes the work of a strategy
    (`phase`, `candidate`, `score`, `vote`, `prune`, `summary`), a message from the user (`message`), or the intent or
    the result of a side effect (`intent`, `done`)."""

    branch: str
    kind: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=record_time)
    type: Literal["note"] = "note"


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a run, or of one turn. `code` is the exit code of the process, and `tree` is the best tree, from which
    the patch is made.

    If `kind` is one of a complete proof or `disputed`, but the verdict has another kind, `kind` is read as `unproven`.
    """

    kind: str
    code: int
    tree: str = ""
    verdict: Verdict = field(default_factory=Verdict)
    message: str = ""
    fix: str = ""
    seconds: float = 0.0
    at: float = field(default_factory=record_time)
    type: Literal["exit"] = "exit"

    def __post_init__(self) -> None:
        if self.kind in WHOLE and self.kind != self.verdict.kind:
            object.__setattr__(self, "kind", "unproven")
            object.__setattr__(self, "code", self.code or 6)


Record = Run | Turn | Hold | Settle | Reply | Step | Once | Note | Exit
