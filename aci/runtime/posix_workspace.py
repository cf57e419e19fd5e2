"""The workspace for any host with a POSIX shell and git: sessions, files and trees. A backend supplies the host."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Event, RLock
from typing import Protocol, TypeVar

from aci.runtime.control_shell import CommandTimeout, ControlShell
from aci.runtime.line_process import LineProcess
from aci.runtime.process_channel import ProgramStarter
from aci.runtime.pty_session import TERMINAL_ENVIRONMENT, PtySession
from aci.runtime.session_processes import SESSION_VARIABLE, SessionProcesses
from aci.runtime.shell_session import Shell, quote
from aci.runtime.snapshots import SnapshotStore, store_environment
from aci.runtime.workspace import CommandResult, Snapshot, TerminalOutput, WorkspaceOptions, is_session_name
from aci.runtime.workspace_files import WorkspaceFiles
from trajectories.errors import RunBroken, UsageError, WorkspaceError

SESSION_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "TERM": "dumb",
    "PIP_PROGRESS_BAR": "off",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONDONTWRITEBYTECODE": "1",  # a .pyc would remain valid if its source is restored within the same second
}
"""Variables in the environment of every session."""

_ENDED_NOTICE = b"[Background processes used up the workspace's resources, so all of them were ended.]\n"
_TERMINALS = 8
Result = TypeVar("Result")


class CommandHost(Protocol):
    """Where commands run: a container or a folder of this machine. Initially, its repository is at the base.

    Paths are absolute and contain no symbolic links. If `shared` is true, processes outlive the host unless each one is
    ended.
    """

    kind: str
    root: str
    scratch: str
    harness: str
    store: str
    inbox: str
    shared: bool

    def start(self, extra: Mapping[str, str], for_harness: bool) -> ProgramStarter:
        """Return a function that starts programs in the host with the variables `extra`.

        `for_harness` is true for the control shell and false for what the agent runs.
        """
        ...

    def terminal(self, extra: Mapping[str, str]) -> tuple[list[str], dict[str, str] | None]:
        """Return the arguments that, put before a command, run it on a terminal in the host, and the environment to
        use."""
        ...

    def another(self, counting: bool = False) -> CommandHost:
        """Return a new host of the same kind at the same base. For `counting`, see `Workspace.fork`."""
        ...

    def notice(self) -> bytes:
        """Return a notice for the output of the next command if the host has ended processes, or else empty bytes.

        Each notice is returned once.
        """
        ...

    def was_short_of_disk(self, since: float) -> bool:
        """Return whether the host ended all processes because the machine's disk was nearly full.

        Only events after `since`, on the monotonic clock, count.
        """
        ...

    def relieve(self) -> bool:
        """End every process in the host without starting a new one in it; return false if that is not possible."""
        ...

    def remove(self) -> None:
        """Remove the host. May be called twice."""
        ...


class PosixWorkspace:
    """A `Workspace` whose commands run in `host`."""

    def __init__(self, host: CommandHost, options: WorkspaceOptions) -> None:
        self.kind, self.root, self.scratch, self.harness = host.kind, host.root, host.scratch, host.harness
        self._host, self.options = host, options
        self._mark = secrets.token_hex(8)
        self._sessions: dict[str, Shell] = {}
        self._unused: set[str] = set()
        self._terminals: dict[str, PtySession] = {}
        self._lock = RLock()
        self._closed = self._relieved = False
        start = host.start(store_environment(host.store, host.root), for_harness=True)
        try:
            self._service = ControlShell(start, "/", options.cancel, host.shared)
        except BaseException:
            host.remove()
            raise
        self._files = WorkspaceFiles(self._service, (host.root, host.scratch, host.harness))
        self._store = SnapshotStore(self._service, options.trees, host.root, options.base.tree, f"{host.inbox}/objects")

    def run(self, command: str, timeout: float = 120.0, session: str = "main") -> CommandResult:
        shell = self._retry_relieved(lambda: self._session(session))
        began = time.monotonic()
        try:
            ran = shell.run(command, timeout)
        except WorkspaceError as error:
            self._relieve(error)
            if session != "main" and not shell.begun:
                ran = shell.run(command, timeout)
            else:
                ran = CommandResult(b"", 1, 0.0, self._session(session).cwd, restarted=True)
        if session != "main":  # no model reads these sessions, and the exit code would look like a result
            if ran.restarted and self._host.was_short_of_disk(began):
                raise WorkspaceError(
                    "The disk on which Docker writes was nearly full: all processes in the workspace were ended.",
                    "Free space there; `swe-agent resume` continues in a new workspace.",
                )
        elif notice := self._host.notice() or (_ENDED_NOTICE if self._relieved else b""):
            self._relieved = False
            ran = replace(ran, output=notice + ran.output)
        return ran

    def folder(self, session: str = "main") -> str:
        return self._session(session).cwd

    def expect(self, session: str) -> None:
        self._check_open()
        self._start_session(session)

    def type(self, session: str, text: str, wait: float = 10.0) -> TerminalOutput:
        output = self._terminal(session).type(text, wait)
        if output.code is not None:
            self._terminals.pop(session).close()
            self._service.run(":")  # raises if the whole host is gone, and not only the session
        return output

    def converse(self, command: str, session: str) -> LineProcess:
        self._check_open()
        _check_name(session)
        start = self._host.start({SESSION_VARIABLE: f"{self._mark}.{session}."}, for_harness=False)
        return LineProcess(start, command, self._processes(f"{session}."))

    def read(self, path: str, limit: int = 50_000_000) -> bytes:
        return self._retry_relieved(lambda: self._files.read(path, limit))

    def write(self, path: str, data: bytes) -> None:
        self._retry_relieved(lambda: self._files.write(path, data))

    def snapshot(self, exact: bool = False) -> Snapshot:
        return self._retry_relieved(lambda: self._store.snapshot(exact))

    def restore(self, tree: str) -> None:
        self._retry_relieved(lambda: self._store.restore(tree))
        return_to_folder = (b'\\command cd -- "$PWD" 2>/dev/null || \\command cd -- ' + quote(self.root)).decode()
        for name, shell in self._sessions.items():  # a shell's directory may have been removed and created again
            if name not in self._unused:
                shell.run(return_to_folder, 10.0)

    def fork(self, tree: str, cancel: Event | None = None, counting: bool = False) -> PosixWorkspace:
        self._check_open()
        other = PosixWorkspace(
            self._host.another(counting), replace(self.options, cancel=cancel or self.options.cancel)
        )
        try:
            if tree != self.options.base.tree:
                other.restore(tree)
        except BaseException:
            other.close()
            raise
        return other

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            if self._host.shared:
                with suppress(WorkspaceError):  # the control shell may have ended
                    self._processes("").end_all()
            for terminal in self._terminals.values():
                terminal.close()
            for shell in self._sessions.values():
                shell.close()
            self._service.close()
        finally:
            self._host.remove()

    def __enter__(self) -> PosixWorkspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _session(self, name: str) -> Shell:
        self._check_open()
        with self._lock:
            shell = self._start_session(name)
            if name in self._unused:
                self._service.run(":")  # the control shell must run before a command can use up processes or memory
                self._unused.discard(name)
            return shell

    def _start_session(self, name: str) -> Shell:
        """Return the session, which may still be starting."""
        _check_name(name)
        with self._lock:
            if name not in self._sessions:
                start = self._host.start({SESSION_VARIABLE: f"{self._mark}.{name}."}, for_harness=False)
                processes = self._processes(f"{name}.")
                shell = Shell(start, cwd=self.root, cancel=self.options.cancel, helper=processes)
                shell.begin()  # does not wait, since the control shell may be starting too
                self._sessions[name] = shell
                self._unused.add(name)
            return self._sessions[name]

    def _terminal(self, name: str) -> PtySession:
        self._check_open()
        _check_name(name)
        with self._lock:
            if name not in self._terminals:
                if len(self._terminals) >= _TERMINALS:
                    raise UsageError(
                        f"There are already {_TERMINALS} side sessions: {', '.join(self._terminals)}.",
                        "End one of them, or use one.",
                    )
                mark = f".{name}."  # the leading dot makes it differ from the names of the sessions of `run`
                prefix, env = self._host.terminal({**TERMINAL_ENVIRONMENT, SESSION_VARIABLE: f"{self._mark}.{mark}"})
                self._terminals[name] = PtySession(prefix, self.root, env, self._processes(mark), self.options.cancel)
            return self._terminals[name]

    def _retry_relieved(self, do: Callable[[], Result]) -> Result:
        """Call `do`. If it fails because the agent's processes use up the resources, end these processes and call it
        again."""
        self._check_open()
        try:
            return do()
        except WorkspaceError as error:
            self._relieve(error)
            return do()

    def _relieve(self, error: WorkspaceError) -> None:
        """End the agent's processes, which may have caused `error`; a fork bomb, for example, prevents any other
        program from starting."""
        if self._closed or isinstance(error, (RunBroken, CommandTimeout)):
            raise error
        try:
            if self._host.shared:
                self._processes("").end_all()
            elif not self._host.relieve():
                raise error
        except WorkspaceError:
            why = self._host.notice().decode().strip("[]\n")
            raise (WorkspaceError(why, error.fix) if why else error) from None
        self._relieved = True

    def _processes(self, session: str) -> SessionProcesses:
        return SessionProcesses(self._service, f"{self._mark}.{session}", f"{self._host.inbox}/{session}command")

    def _check_open(self) -> None:
        if self._closed:
            raise WorkspaceError("The workspace is closed.", "Open a new one.")


def _check_name(session: str) -> None:
    if not is_session_name(session):
        raise UsageError(f"{session!r} is not a valid session name.", "Use letters, digits and underscores.")
