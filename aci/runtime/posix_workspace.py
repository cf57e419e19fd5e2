"""What every workspace is that has a POSIX shell and git: sessions, files and trees. A backend adds the place."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from threading import Event, RLock
from typing import Protocol, TypeVar

from aci.channel import Start
from aci.conversation import Conversation
from aci.files import Files
from aci.processes import MARK, Processes
from aci.service import NoAnswer, Service
from aci.shell import Shell, quote
from aci.store import Store, environment
from aci.terminal import VARIABLES, Terminal
from aci.workspace import Options, Ran, Seen, Snapshot, is_session_name
from trajectories.errors import RunBroken, UsageError, WorkspaceError

SESSION = {
    "LANG": "C.UTF-8",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "TERM": "dumb",
    "PIP_PROGRESS_BAR": "off",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONDONTWRITEBYTECODE": "1",  # a .pyc would outlive a restore of its source within the second
}
"""In the environment of every session."""

_ENDED = b"[The processes in the background left no room for others: all were ended.]\n"
_TERMINALS = 8
Done = TypeVar("Done")


class Place(Protocol):
    """Where commands run: a container, a folder of this machine. Its repository is at the base when it is opened.

    The paths are real and absolute. `shared`: processes outlive the place unless they are ended one by one.
    """

    kind: str
    root: str
    scratch: str
    harness: str
    store: str
    inbox: str
    shared: bool

    def start(self, extra: Mapping[str, str], ours: bool) -> Start:
        """How programs are started in the place, with `extra` set there. `ours`: it is the service."""
        ...

    def terminal(self, extra: Mapping[str, str]) -> tuple[list[str], dict[str, str] | None]:
        """(words before a command that has a terminal in the place when it is started at one, environment)."""
        ...

    def another(self, counting: bool = False) -> Place:
        """A fresh place of the same kind at the same base; `counting` as in `Workspace.fork`."""
        ...

    def notice(self) -> bytes:
        """What the place did to all that ran in it, for who runs the next command; told once, empty if nothing."""
        ...

    def was_short_of_disk(self, since: float) -> bool:
        """Whether the place ended all that ran in it because the machine's disk was nearly full, after `since` on the
        monotonic clock."""
        ...

    def relieve(self) -> bool:
        """End every process in it, if the place can do that without a process of its own; false if it cannot."""
        ...

    def remove(self) -> None:
        """Remove the place. May be called twice."""
        ...


class PosixWorkspace:
    """A `Workspace` in `place`."""

    def __init__(self, place: Place, options: Options) -> None:
        self.kind, self.root, self.scratch, self.harness = place.kind, place.root, place.scratch, place.harness
        self._place, self.options = place, options
        self._mark = secrets.token_hex(8)
        self._sessions: dict[str, Shell] = {}
        self._unused: set[str] = set()
        self._terminals: dict[str, Terminal] = {}
        self._lock = RLock()
        self._closed = self._relieved = False
        start = place.start(environment(place.store, place.root), ours=True)
        try:
            self._service = Service(start, "/", options.cancel, place.shared)
        except BaseException:
            place.remove()
            raise
        self._files = Files(self._service, (place.root, place.scratch, place.harness))
        self._store = Store(self._service, options.trees, place.root, options.base.tree, f"{place.inbox}/objects")

    def run(self, command: str, timeout: float = 120.0, session: str = "main") -> Ran:
        shell = self._steadily(lambda: self._session(session))
        began = time.monotonic()
        try:
            ran = shell.run(command, timeout)
        except WorkspaceError as error:
            self._relieve(error)
            if session != "main" and not shell.begun:
                ran = shell.run(command, timeout)
            else:
                ran = Ran(b"", 1, 0.0, self._session(session).cwd, restarted=True)
        if session != "main":  # no one reads a notice there, and an exit code would be taken for a result
            if ran.restarted and self._place.was_short_of_disk(began):
                raise WorkspaceError(
                    "The disk on which Docker writes was nearly full: everything in the workspace was ended.",
                    "Make room there; `swe-agent resume` goes on in a new workspace.",
                )
        elif told := self._place.notice() or (_ENDED if self._relieved else b""):
            self._relieved = False
            ran = replace(ran, output=told + ran.output)
        return ran

    def folder(self, session: str = "main") -> str:
        return self._session(session).cwd

    def expect(self, session: str) -> None:
        self._open()
        self._begin(session)

    def type(self, session: str, text: str, wait: float = 10.0) -> Seen:
        seen = self._terminal(session).type(text, wait)
        if seen.code is not None:
            self._terminals.pop(session).close()
            self._service.run(":")  # raises where the place is gone, which no program can tell
        return seen

    def converse(self, command: str, session: str) -> Conversation:
        self._open()
        _check_name(session)
        start = self._place.start({MARK: f"{self._mark}.{session}."}, ours=False)
        return Conversation(start, command, self._processes(f"{session}."))

    def read(self, path: str, limit: int = 50_000_000) -> bytes:
        return self._steadily(lambda: self._files.read(path, limit))

    def write(self, path: str, data: bytes) -> None:
        self._steadily(lambda: self._files.write(path, data))

    def snapshot(self, exact: bool = False) -> Snapshot:
        return self._steadily(lambda: self._store.snapshot(exact))

    def restore(self, tree: str) -> None:
        self._steadily(lambda: self._store.restore(tree))
        back = (b'\\command cd -- "$PWD" 2>/dev/null || \\command cd -- ' + quote(self.root)).decode()
        for name, shell in self._sessions.items():  # one may stand in a folder that was made anew
            if name not in self._unused:
                shell.run(back, 10.0)

    def fork(self, tree: str, cancel: Event | None = None, counting: bool = False) -> PosixWorkspace:
        self._open()
        other = PosixWorkspace(
            self._place.another(counting), replace(self.options, cancel=cancel or self.options.cancel)
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
            if self._place.shared:
                with suppress(WorkspaceError):  # nothing can be ended through a service that is gone
                    self._processes("").end_all()
            for terminal in self._terminals.values():
                terminal.close()
            for shell in self._sessions.values():
                shell.close()
            self._service.close()
        finally:
            self._place.remove()

    def __enter__(self) -> PosixWorkspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _session(self, name: str) -> Shell:
        self._open()
        with self._lock:
            shell = self._begin(name)
            if name in self._unused:
                self._service.run(":")  # there before a command can use up processes or memory
                self._unused.discard(name)
            return shell

    def _begin(self, name: str) -> Shell:
        """The session, which may still be starting."""
        _check_name(name)
        with self._lock:
            if name not in self._sessions:
                start = self._place.start({MARK: f"{self._mark}.{name}."}, ours=False)
                processes = self._processes(f"{name}.")
                shell = Shell(start, cwd=self.root, cancel=self.options.cancel, helper=processes)
                shell.begin()  # while the service starts, too
                self._sessions[name] = shell
                self._unused.add(name)
            return self._sessions[name]

    def _terminal(self, name: str) -> Terminal:
        self._open()
        _check_name(name)
        with self._lock:
            if name not in self._terminals:
                if len(self._terminals) >= _TERMINALS:
                    raise UsageError(
                        f"There are {_TERMINALS} side sessions: {', '.join(self._terminals)}.", "End one, or use it."
                    )
                mark = f".{name}."  # no session of `run` has an empty name before it
                prefix, env = self._place.terminal({**VARIABLES, MARK: f"{self._mark}.{mark}"})
                self._terminals[name] = Terminal(prefix, self.root, env, self._processes(mark), self.options.cancel)
            return self._terminals[name]

    def _steadily(self, do: Callable[[], Done]) -> Done:
        """Do it, and once more when the agent's processes had left no room for it."""
        self._open()
        try:
            return do()
        except WorkspaceError as error:
            self._relieve(error)
            return do()

    def _relieve(self, error: WorkspaceError) -> None:
        """End what the agent has running, which may be what caused `error`: a fork bomb lets nothing else start."""
        if self._closed or isinstance(error, (RunBroken, NoAnswer)):
            raise error
        try:
            if self._place.shared:
                self._processes("").end_all()
            elif not self._place.relieve():
                raise error
        except WorkspaceError:
            why = self._place.notice().decode().strip("[]\n")
            raise (WorkspaceError(why, error.fix) if why else error) from None
        self._relieved = True

    def _processes(self, session: str) -> Processes:
        return Processes(self._service, f"{self._mark}.{session}", f"{self._place.inbox}/{session}command")

    def _open(self) -> None:
        if self._closed:
            raise WorkspaceError("The workspace is closed.", "Open another one.")


def _check_name(session: str) -> None:
    if not is_session_name(session):
        raise UsageError(f"{session!r} cannot name a session.", "Use letters, digits and underscores.")
