"""The interface of workspaces, where commands run.

Each backend is a module `<kind>.py` of `aci/workspaces/` or of an extension, with a function `open`.

"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from trajectories.errors import Cancelled

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from trajectories.git_store.trees import Trees
    from trajectories.records import Base

OnOutput = Callable[[bytes], None]
"""Function that gets the last bytes of the output of a running command."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command. `output` contains stdout and stderr in the order of writing; `cut` is the number of
    bytes dropped from its middle.

    `code` is the exit status (124 after a time-out, 130 when cancelled). If `restarted` is true, the shell died during
    the command, and a new one was started with the last directory and exported variables.
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
class TerminalOutput:
    """New output of a side session: the lines since the last call, or the whole screen if a program paints it.

    `cut` is the number of bytes dropped before `text`. `code` is the exit status if the session has ended, else None.
    """

    text: str
    painted: bool = False
    cut: int = 0
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tree in the run's `trees.git`. Git could not store the files in `skipped`; the tree contains their previous
    state."""

    tree: str
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service. If `command` is empty, the image's default command runs.

    It is ready when the shell command `ready` succeeds in it within `seconds`; if there is no such command, it is ready
    when it listens on one of its `ports` (default: those that the image exposes). `env` is the service's environment.
    `variables` are set in the sessions of the workspace, for example with the service's address.
    """

    name: str
    image: str
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    ports: tuple[int, ...] = ()
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class WorkspaceOptions:
    """Options of a workspace that starts at `base`.

    `disk` limits the total size of all files that are written. `cpus` is the number of CPUs, or 0 for all CPUs of the
    machine. `runtime` is the name of a Docker runtime (`runsc`). `read_only` forbids writes to the image's own files.
    Sizes are strings such as `512m` or `4g`.
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
    environment: Path | None = None
    """The virtual environment of a workspace on this machine; by default, that of the user's project."""

    set_up_folder: Path | None = None
    """A folder to which commands in a sandbox may write, for set-up."""

    services: tuple[Service, ...] = ()
    """Services that the user approved and that run alongside a workspace in a container."""

    serve: str = ""
    """The command that starts the project's server; by default, it is found by the project's files."""

    copy_files: tuple[str, ...] = ()
    """Paths of files that git ignores and that the user wants in clones, also if they look like secrets."""

    cancel: Event = field(default_factory=Event)
    say: Callable[[str], None] = print
    """Function that reports long operations to the user, such as pulling an image or preparing a base."""

    record_files: Callable[[str, Mapping[str, Sequence[str]]], object] = lambda text, paths: None
    """Function that records which files of the user's machine a workspace on it gets: in words, and their paths."""

    may_set_up: Callable[[str, Sequence[str], Sequence[str]], bool] = lambda image, commands, hosts: bool(hosts)
    """Function that is called before an environment is built; it returns whether these commands may run in this image
    with access to these hosts. Without hosts, they would run on this machine without isolation."""


HARNESS_SESSION = "tests"
"""The session for the harness's own commands: tools, tests, probes. The agent's shell is another session."""


def is_session_name(name: str) -> bool:
    """Return whether a name is valid for a session: only letters, digits and underscores, not starting with a digit."""
    return name.isidentifier()


class LineConversation(Protocol):
    """A running command that exchanges lines with the caller. Its stderr is part of its output."""

    def send(self, line: bytes) -> None:
        """Send a line, given without its end."""
        ...

    def receive(self, seconds: float) -> list[bytes] | None:
        """Wait at most `seconds` for complete lines and return them, or None once the command has ended."""
        ...

    def send_bytes(self, data: bytes) -> None:
        """Send bytes, for a command that does not exchange lines."""
        ...

    def receive_bytes(self, seconds: float) -> bytes | None:
        """Wait at most `seconds` for output and return it, or None once the command has ended."""
        ...

    def close(self) -> None:
        """End the command and all processes that it started. May be called twice."""
        ...


class Workspace(Protocol):
    """A repository and shells, isolated from the user's own files.

    Paths are relative to `root`; an absolute path must lie under `root`, `scratch` or `harness`. A path that leaves
    these folders, by `..` or through a symbolic link, raises UsageError. Failures of the machine raise WorkspaceError.
    """

    kind: str
    root: str
    scratch: str
    """A folder outside the repository for notes and temporary scripts. It is not part of any tree."""

    harness: str
    """A folder outside the repository and `scratch` for the harness's own files (test plug-ins, tracers), rewritten
    before each use."""

    serve: str
    """The command that starts the project's server; "" if none was named."""

    @property
    def cancel(self) -> Event:
        """The event that stops running commands."""
        ...

    def run(
        self, command: str, timeout: float = 120.0, session: str = "main", on_output: OnOutput | None = None
    ) -> CommandResult:
        """Run a shell command in a persistent session, which keeps its directory and exported variables.

        While it runs, `on_output` gets the last bytes of its output from time to time.
        """
        ...

    def folder(self, session: str = "main") -> str:
        """Return the current directory of the session's shell."""
        ...

    def expect(self, session: str) -> None:
        """Start a session that will be needed soon, without waiting for it."""
        ...

    def type(self, session: str, text: str, wait: float = 10.0) -> TerminalOutput:
        """Type `text` into a side session with a terminal and return the new output. If the session does not exist yet,
        it is started first.

        A newline is Enter; `<ctrl-c>`, `<up>`, `<esc>` are keys. Returns once the output pauses, or after `wait`
        seconds.
        """
        ...

    def converse(self, command: str, session: str) -> LineConversation:
        """Start a command that exchanges lines with the caller, independently of the sessions.

        `session` is a name that marks the command's processes, so that they can be ended.
        """
        ...

    def read(self, path: str, limit: int = 50_000_000) -> bytes:
        """Return a file's bytes.

        Raises FileNotFoundError or IsADirectoryError, and UsageError if the file has more than `limit` bytes.
        """
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file and create its parent folders. An existing file keeps its mode."""
        ...

    def snapshot(self, exact: bool = False) -> Snapshot:
        """Store the repository's current tree in `trees.git`. With `exact`, every file is read instead of relying on
        its stat data."""
        ...

    def restore(self, tree: str) -> None:
        """Set the repository's files to those of `tree`. Ignored files are kept."""
        ...

    def fork(self, tree: str, cancel: Event | None = None, counting: bool = False) -> Workspace:
        """Return a new workspace with the same environment and the files of `tree`, but no other state of this one.

        Its commands stop when `cancel` is set; the default is this workspace's event. With `counting`, the harness can
        count the instructions of its own commands in the new workspace, which run with fixed memory addresses; the
        agent gets no shell there.
        """
        ...

    def close(self) -> None:
        """End all processes and remove the workspace. May be called twice."""
        ...


def open_workspace(kind: str, options: WorkspaceOptions) -> Workspace:
    """Open the backend named `kind` (a file of `aci/workspaces/` or of an extension). Raises UsageError if there is no
    such backend."""
    from aci.runtime.sandbox_availability import sandbox_module
    from trajectories.plugins import find

    if kind == "sandbox":
        sandbox_module()
    if left_out := options.base.left_out:
        from aci.repository.untracked_files import describe_left_out

        options.say(describe_left_out(left_out))
        options.record_files(f"Not in the base: {', '.join(left_out)}.", {"left_out": left_out})
    opener: Callable[[WorkspaceOptions], Workspace] = find("aci.workspaces", kind, "open", "workspace")
    return opener(options)


Answer = TypeVar("Answer")
TICK = 0.1
"""Number of seconds between checks for cancellation while waiting."""


class BackgroundTask(Generic[Answer]):
    """A call of the function `do` in its own thread, started immediately. `answer` returns the function's result or
    raises its exception."""

    def __init__(self, do: Callable[[], Answer], name: str) -> None:
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, args=(do,), name=name, daemon=True)  # which drops `do` when it ends
        self._thread.start()

    def _work(self, do: Callable[[], Answer]) -> None:
        try:
            self._answer = do()
        except BaseException as error:  # noqa: BLE001 - `answer` raises it
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def answer(self, cancel: Event | None = None) -> Answer:
        """Wait for the result and return it.

        Raises Cancelled if `cancel` is set before the call ends; the thread is not stopped.
        """
        while self._thread.is_alive():
            if cancel is not None and cancel.is_set():
                raise Cancelled("Interrupted.", "Resume the run to continue.")
            self._thread.join(None if cancel is None else TICK)
        if self._error is not None:
            raise self._error
        return self._answer
