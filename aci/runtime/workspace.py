"""The border to the place where commands run: one Protocol, one file a backend under `workspaces/`.

A backend is a module `aci/workspaces/<kind>.py` with `open(options: Options) -> Workspace`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aci.conversation import Conversation
    from aci.repository import Repository
    from aci.services import Service
    from trajectories.records import Base
    from trajectories.trees import Trees


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished command. `output` is stdout and stderr as they came; `cut` bytes in its middle were dropped.

    `code` is the exit status (124 after a time-out, 130 when cancelled). `restarted`: the shell died with it and a
    new one stands in the last directory with the last exported variables.
    """

    output: bytes
    code: int
    seconds: float
    cwd: str
    cut: int = 0
    timed_out: bool = False
    restarted: bool = False

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Seen:
    """What appeared in a side session: the lines since the last look, or the whole screen where a program paints it.

    `cut` bytes before it were dropped unseen. `code` is the exit status of a session that has ended, else None.
    """

    text: str
    painted: bool = False
    cut: int = 0
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tree, now in the run's `trees.git`; `skipped` names what git could not take and keeps its last state."""

    tree: str
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What a backend needs to open a workspace at `base`.

    `disk` bounds what all files that are written take together; `cpus` is 0 for all there are; `runtime` names one that
    Docker knows (`runsc`); `read_only` forbids writes to the image's own files. Sizes are `512m`, `4g`.
    """

    repository: Repository
    base: Base
    trees: Trees
    image: str = ""
    memory: str = "4g"
    processes: int = 1024
    disk: str = "10g"
    cpus: float = 0.0
    runtime: str = ""
    read_only: bool = False
    services: tuple[Service, ...] = ()
    """What the user approved to run beside a workspace in a container."""

    cancel: Event = field(default_factory=Event)
    say: Callable[[str], None] = print
    """Tells the user what takes long (an image is pulled, a base is prepared)."""

    may_set_up: Callable[[str, Sequence[str], Sequence[str]], bool] = lambda image, commands, hosts: True
    """Asked before an environment is built: may these commands run in this image, with these hosts within reach?"""


OURS = "tests"
"""The session in which commands of ours run: tools, tests, probes. The agent's shell is another."""


def is_session_name(name: str) -> bool:
    """Whether a session of a workspace may have this name: letters, digits and underscores, no digit first."""
    return name.isidentifier()


class Workspace(Protocol):
    """A repository and a shell, cut off from the user's own files.

    Paths are relative to `root`; an absolute path must lie under `root`, `scratch` or `harness`. A path that leaves
    them, by `..` or through a symbolic link, raises UsageError. Machine trouble raises WorkspaceError.
    """

    kind: str
    root: str
    scratch: str
    """A folder outside the repository, for notes and throw-away scripts; not part of any tree."""

    harness: str
    """A folder for our own files (test plug-ins, tracers), outside both; written anew before each use."""

    def run(self, command: str, timeout: float = 120.0, session: str = "main") -> Ran:
        """Run a shell command in a persistent session; directory and exported variables last from call to call."""
        ...

    def folder(self, session: str = "main") -> str:
        """Where the session's shell is now."""
        ...

    def expect(self, session: str) -> None:
        """Have a session start that will be needed soon, without waiting for it."""
        ...

    def type(self, session: str, text: str, wait: float = 10.0) -> Seen:
        """Type `text` into a side session with a terminal, which is started where it is new, and see what appears.

        A newline is Enter; `<ctrl-c>`, `<up>`, `<esc>` are keys. Returns after a short quiet, or after `wait` seconds.
        """
        ...

    def converse(self, command: str, session: str) -> Conversation:
        """Start a command that lines are exchanged with, beside the sessions; `session` names what it starts."""
        ...

    def read(self, path: str, limit: int = 50_000_000) -> bytes:
        """The file's bytes. FileNotFoundError, IsADirectoryError as usual; larger than `limit`: UsageError."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write the file whole, with its parents; the mode of an existing file is kept."""
        ...

    def snapshot(self, exact: bool = False) -> Snapshot:
        """Store the repository's present tree in `trees.git`. `exact` reads every file instead of trusting stat."""
        ...

    def restore(self, tree: str) -> None:
        """Make the repository's files those of `tree`. Ignored files stay."""
        ...

    def fork(self, tree: str, cancel: Event | None = None, counting: bool = False) -> Workspace:
        """A fresh workspace of the same environment at `tree`; nothing else of this one's life is in it.

        What runs in it stops when `cancel` is set, or else with this one's. `counting`: the instructions of commands
        of ours can be counted in it, for which it may fix addresses; no agent gets a shell in such a one.
        """
        ...

    def close(self) -> None:
        """End what runs and remove the workspace. May be called twice."""
        ...


def open_workspace(kind: str, options: Options) -> Workspace:
    """Open the backend named `kind` (a file of `aci/workspaces/`). Raises UsageError for an unknown one."""
    from trajectories.plugins import find

    opener: Callable[[Options], Workspace] = find("aci.workspaces", kind, "open", "workspace")
    return opener(options)
