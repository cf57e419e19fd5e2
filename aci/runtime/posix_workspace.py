"""The workspace for any host with a POSIX shell and git: sessions, files and trees. A backend supplies the host."""

from __future__ import annotations

import errno
import posixpath
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, RLock
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from aci.runtime.control_shell import CommandTimeout, ControlShell
from aci.runtime.process_channel import (
    Channel,
    ChannelOutput,
    ProgramStarter,
    TerminalStarter,
    terminal_programs,
)
from aci.runtime.session_processes import SESSION_VARIABLE, SessionProcesses
from aci.runtime.shell_session import Shell, quote
from aci.runtime.snapshots import SnapshotStore, store_environment
from aci.runtime.workspace import (
    CommandResult,
    OnOutput,
    Snapshot,
    TerminalOutput,
    WorkspaceOptions,
    is_session_name,
)
from trajectories.errors import RunBroken, UsageError, WorkspaceError

MAX_LINE_BYTES = 32_000_000
"""The maximum length of a line in bytes."""
_BASH_OR_SH = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi'


class LineProcess:
    """A running shell command (in bash, or in sh if bash is missing), started through `start`. `processes` finds the
    processes that the command starts.

    Its stderr is part of its output. Raises WorkspaceError if it cannot be started.
    """

    def __init__(self, start: ProgramStarter, command: str, processes: SessionProcesses) -> None:
        self._channel = start(["sh", "-c", _BASH_OR_SH, "sh", command])
        self._stream = ChannelOutput(self._channel)
        self._processes = processes
        self._parts: list[bytes] = []
        self._length = 0
        self._open = True

    def send(self, line: bytes) -> None:
        """Send `line`, which must not include the newline. Input that the command does not read at once is sent during
        `receive`."""
        self.send_bytes(line + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as `send` does, without a newline."""
        self._stream.send(data)

    def receive(self, seconds: float) -> list[bytes] | None:
        """Wait at most `seconds` for complete lines and return them, or None once the command has ended."""
        data = self.receive_bytes(seconds)
        if not data:
            return None if data is None else []
        lines = self._lines(data)
        if self._length > MAX_LINE_BYTES:
            raise WorkspaceError("A command in the workspace sent an endless line.", "Check what the tests print.")
        return lines

    def receive_bytes(self, seconds: float) -> bytes | None:
        """Wait at most `seconds` for output and return it, or None once the command has ended."""
        if not self._stream.wait(seconds):
            return None if self._channel.ended() else b""
        data = self._channel.receive()
        return None if data == b"" else data or b""

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. The unfinished line is kept in parts, since it may be long."""
        first, *more = data.split(b"\n")
        self._parts.append(first)
        self._length += len(first)
        if not more:
            return []
        lines = [b"".join(self._parts), *more]
        self._parts = [lines.pop()]
        self._length = len(self._parts[0])
        return lines

    def close(self) -> None:
        """End the command and all processes that it started. May be called twice."""
        if self._open:
            self._open = False
            self._channel.close(group=True)
            with suppress(WorkspaceError):  # the host may be gone, and the processes with it
                self._processes.end_all()


_HEADER_BYTES = 100_000  # maximum number of bytes of output before a file's content
_LARGE = 50_000  # above this number of bytes, writing through a process is faster
_PATIENCE = 30.0  # seconds; a FIFO that replaced a file after its check would block for ever


class WorkspaceFiles:
    """The files under `roots`, which are real absolute paths. A relative path is relative to the first root."""

    def __init__(self, service: ControlShell, roots: Sequence[str]) -> None:
        self._service, self._roots = service, tuple(roots)
        self._inside = b"|".join(quote(root) + b"/*" for root in roots)

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes; see `Workspace.read`. Only regular files are read."""
        full = quote(self._within(path))
        ran = self._run(
            path,
            b"p=$(readlink -f -- %b 2>/dev/null && echo .) && p=${p%%??} || p=\n"  # a file name may end in newlines
            b'case "$p/" in\n'
            b"//*|/) echo missing ;;\n"
            b"%b)\n"
            b'    if [ -d "$p" ]; then echo folder; elif [ ! -e "$p" ]; then echo missing\n'
            b'    elif [ ! -f "$p" ]; then echo special; elif [ ! -r "$p" ]; then echo forbidden\n'
            b'    else echo file; head -c %d -- "$p"; fi ;;\n'
            b"*) echo outside ;;\n"
            b"esac" % (full, self._inside, limit + 1),
            limit + _HEADER_BYTES,
        )
        found, _, data = ran.output.partition(b"\n")
        if found == b"file" and ran.code == 0:
            if len(data) > limit or ran.cut:
                raise UsageError(f"{path} is larger than {limit:,} bytes.", "Read a part of it with a shell command.")
            return data
        raise _error_for((data if found == b"file" else found).decode("utf-8", "replace"), path)

    def write(self, path: str, data: bytes) -> None:
        """Write a file; see `Workspace.write`."""
        full = self._within(path)
        ran = self._run(
            path,
            b"p=%b; h=${p%%/*}; d=$h\n"
            b'while [ ! -d "$d" ] && [ -n "$d" ]; do d=${d%%/*}; done\n'
            b'[ "$d" = "$h" ] && [ ! -L "$p" ] || h=\n'  # if `h` stays set, one readlink is enough
            b'd=$(readlink -f -- "$d" 2>/dev/null && echo .); d=${d%%??}\n'
            b'case "$d/" in %b) ;; *) echo outside; d= ;; esac\n'
            b'if [ -n "$d" ]; then\n'
            b'    [ -d "${p%%/*}" ] || mkdir -p -- "${p%%/*}"\n'
            b'    if [ -n "$h" ]; then r=$d/${p##*/}; else r=$(readlink -f -- "$p" && echo .); r=${r%%??}; fi\n'
            b'    case "$r/" in %b)\n'
            b'        if [ -d "$r" ]; then echo folder\n'
            b'        elif [ -e "$r" ] && [ ! -f "$r" ]; then echo special\n'
            b'        else printf "file\\n%%s" "$r"; fi ;;\n'
            b"    *) echo outside ;; esac\n"
            b"fi 2>&1" % (quote(full), self._inside, self._inside),
        )
        found, _, real = ran.output.partition(b"\n")
        if found != b"file":
            raise _error_for(found.decode("utf-8", "replace"), path)
        with _bounded(path):
            write = self._service.put if len(data) <= _LARGE else self._service.pour
            ran = write(quote(real), data, _PATIENCE)
        if ran.code:
            raise _error_for(ran.text, path)

    def _run(self, path: str, script: bytes, cap: int = _HEADER_BYTES) -> CommandResult:
        with _bounded(path):
            return self._service.run(script, cap, _PATIENCE)

    def _within(self, path: str) -> str:
        if "\0" in path or not path:
            raise UsageError(f"{path!r} is not a path.", "Name a file in the repository.")
        full = posixpath.normpath(posixpath.join(self._roots[0], path))
        if not any(f"{full}/".startswith(f"{root}/") for root in self._roots):
            raise _error_for("outside", path)
        return full


@contextmanager
def _bounded(path: str) -> Iterator[None]:
    try:
        yield
    except CommandTimeout as error:
        raise UsageError(
            f"{path} is not a regular file, or a program of the image did not end within {_PATIENCE:.0f} s.",
            "Use a regular file, and check that head, mkdir and readlink work there.",
        ) from error


def _error_for(found: str, path: str) -> Exception:
    """Return the exception for a path that is not a readable regular file."""
    word = found.strip()
    if word == "missing" or "No such file" in found or "nonexistent directory" in found:
        return FileNotFoundError(errno.ENOENT, "No such file", path)
    if word == "folder" or "s a directory" in found:
        return IsADirectoryError(errno.EISDIR, "Is a directory", path)
    if word == "outside":
        return UsageError(f"{path} is outside the repository.", "Use a path inside the repository.")
    if word == "special":
        return UsageError(f"{path} is not a regular file.", "Use a regular file.")
    if "too long" in found:
        return UsageError(f"{path[:80]}… has a name that is too long.", "Use a shorter one.")
    if "exists" in found or "Not a directory" in found:
        return UsageError(f"{path} cannot be used: a part of it is a file, not a folder.", "Use another path.")
    if word == "forbidden" or any(text in found for text in ("ermission denied", "Read-only", "not permitted")):
        return PermissionError(errno.EACCES, "Permission denied", path)
    return WorkspaceError(f"{path} cannot be used: {word[-300:]}.", "Check that the workspace's disk is not full.")


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

    def terminal(self, extra: Mapping[str, str]) -> TerminalStarter:
        """Return a function that starts programs on a terminal in the host with the variables `extra`."""
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
        self._host, self.options, self.serve = host, options, options.serve
        self._mark = secrets.token_hex(8)
        self._sessions: dict[str, Shell] = {}
        self._unused: set[str] = set()
        self._terminals: dict[str, Any] = {}  # the `PtySession` of each name
        self._conversations: WeakSet[LineProcess] = WeakSet()
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

    @property
    def cancel(self) -> Event:
        return self.options.cancel

    def run(
        self, command: str, timeout: float = 120.0, session: str = "main", on_output: OnOutput | None = None
    ) -> CommandResult:
        shell = self._retry_relieved(lambda: self._session(session))
        began = time.monotonic()
        try:
            ran = shell.run(command, timeout, on_output=on_output)
        except WorkspaceError as error:
            self._relieve(error)
            if session != "main" and not shell.begun:
                ran = shell.run(command, timeout, on_output=on_output)
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
        output: TerminalOutput = self._terminal(session).type(text, wait)
        if output.code is not None:
            self._terminals.pop(session).close()
            self._service.run(":")  # raises if the whole host is gone, and not only the session
        return output

    def converse(self, command: str, session: str) -> LineProcess:
        self._check_open()
        _check_name(session)
        start = self._host.start({SESSION_VARIABLE: f"{self._mark}.{session}."}, for_harness=False)
        process = LineProcess(start, command, self._processes(f"{session}."))
        self._conversations.add(process)
        return process

    def start_program(self, words: Sequence[str]) -> Channel:
        """Start a program of the harness that exchanges bytes with the caller."""
        self._check_open()
        return self._host.start({}, for_harness=True)(words)

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
            for process in list(self._conversations):
                process.close()
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

    def _terminal(self, name: str) -> Any:
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
                programs = terminal_programs()
                start = self._host.terminal({**programs.TERMINAL_ENVIRONMENT, SESSION_VARIABLE: f"{self._mark}.{mark}"})
                self._terminals[name] = programs.PtySession(
                    start, self.root, self._processes(mark), self.options.cancel
                )
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
