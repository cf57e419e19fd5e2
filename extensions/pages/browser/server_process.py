"""The server of a project while it runs in a workspace, and commands that run beside it.

A program in the workspace starts it on a free port, waits until it answers and ends it with all its processes, in the
same way for a page that is looked at and for a test. What the server prints is untrusted.
"""

from __future__ import annotations

import re
import secrets
import shlex
import time
from functools import cache
from threading import Event, Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.browser_tests import NOT_STARTED
from extensions.pages.browser.project_server import ServerPlan, find_server

if TYPE_CHECKING:
    from aci.runtime.workspace import LineConversation, Workspace

START_SECONDS, MARGIN = 60.0, 15.0
"""Seconds in which a server must answer, and more seconds for the programs around it."""
OUTPUT_BYTES = 65_536
PROGRAM = "with_server.sh"
FILES = (PROGRAM, "server_probe.py", "server_probe.cjs", "static_server.cjs", "django_settings.py")
_HOLD = 'printf "ready %s\\n" "$BASE_URL"; exec cat >/dev/null'
_READY = re.compile(rb"ready (http://(?:127\.0\.0\.1|\[::1\]):\d{1,5})")
_MOST_LINES = 1_000
_servers: WeakKeyDictionary[Workspace, ProjectServer] = WeakKeyDictionary()
_locks: WeakKeyDictionary[Workspace, Lock] = WeakKeyDictionary()
_lock = Lock()


class ServerFailed(Exception):
    """The server ended, did not answer in time or was cancelled; the text says which. `output` is the end of what it
    printed."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


@cache
def server_files() -> dict[str, bytes]:
    """Return the files that `with_server` needs in its folder."""
    files = {name: program_source(f"pages/{name}") for name in FILES}
    return files | {PROGRAM: files[PROGRAM].replace(b"%NOT_STARTED%", NOT_STARTED.encode())}


def with_server(
    command: str, plan: ServerPlan, folder: str, seconds: float = START_SECONDS, is_needed: bool = True
) -> str:
    """Return a shell command that starts the server of the project in the current folder, runs `command` and ends the
    server. Its exit code is that of `command`, or NOT_STARTED_CODE, with the line NOT_STARTED, if the server does not
    answer within `seconds`. If it is not needed, the command runs without it then.

    The command gets the server's address in BASE_URL, PLAYWRIGHT_TEST_BASE_URL and PYTEST_BASE_URL. `folder` holds
    the `server_files` and is used for one start.
    """
    ports = " ".join(map(str, plan.ports))
    words = ["sh", f"{folder}/{PROGRAM}", f"{seconds:g}", ports, plan.folder or ".", plan.command, command]
    return shlex.join([*words, *([] if is_needed else ["optional"])])


def server_of(workspace: Workspace) -> ProjectServer | None:
    """Return the server of the workspace's project; None if it serves no pages, or if the workspace is not isolated, so
    that the server would use a port of the host."""
    if workspace.kind == "local":
        return None
    with _lock:
        lock = _locks.setdefault(workspace, Lock())
    with lock:  # other workspaces do not wait for the look-up
        if workspace not in _servers:
            plan = find_server(workspace)
            if plan is None:
                return None  # the agent may still write a page
            _servers[workspace] = ProjectServer(plan)
        return _servers[workspace]


def clean_path(path: str) -> str:
    """Return a path of the server, starting with one slash, so that it names nothing elsewhere."""
    return "/" + path.lstrip("/\\")


class ProjectServer:
    """The one server of a workspace, which starts when its address is first needed and ends with the workspace.

    `note` says that the last call of `address` restarted it, and why; else it is empty.
    """

    def __init__(self, plan: ServerPlan) -> None:
        self.plan, self.note = plan, ""
        self._conversation: LineConversation | None = None
        self._address = self._tree = self._folder = ""
        self._lock = Lock()

    def address(
        self, workspace: Workspace, tree: str, seconds: float = START_SECONDS, cancel: Event | None = None
    ) -> str:
        """Return the address of the running server, which has the files of `tree`, the workspace's present state.

        A server that has ended, or that does not reload changed files, is started again. Raises ServerFailed, and
        WorkspaceError for a workspace that is gone.
        """
        with self._lock:
            self.note = self._reason_to_restart(workspace, tree)
            if self.note or not self._conversation:
                self._end()
                self._start(workspace, seconds, cancel or Event())
            self._tree = tree
            return self._address

    def output(self, workspace: Workspace) -> str:
        """Return the end of what the server printed, at most OUTPUT_BYTES."""
        if not self._folder:
            return ""
        log = shlex.quote(f"{self._folder}/server.log")
        return workspace.run(f"cat {log}.old {log} 2>/dev/null | tail -c {OUTPUT_BYTES}", 30, HARNESS_SESSION).text

    def close(self) -> None:
        """End the server with all its processes. May be called twice."""
        with self._lock:
            self._end()

    def _reason_to_restart(self, workspace: Workspace, tree: str) -> str:
        if not self._conversation:
            return ""
        port = int(self._address.rpartition(":")[2])
        listens = f"grep -qE ':{port:04X} [0-9A-F]+:0000 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null"
        if self._conversation.receive(0.0) is None or workspace.run(listens, 30, HARNESS_SESSION).code == 1:
            return "The server was started again, because it had ended."
        if tree != self._tree and not self.plan.reloads:
            return "The server was started again, because it does not reload changed files."
        return ""

    def _start(self, workspace: Workspace, seconds: float, cancel: Event) -> None:
        name = secrets.token_hex(4)
        self._folder = f"{workspace.harness}/project-server-{name}"
        for file, data in server_files().items():
            workspace.write(f"{self._folder}/{file}", data)
        command = with_server(_HOLD, self.plan, self._folder, seconds)
        self._conversation = workspace.converse(
            f"cd {shlex.quote(workspace.root)} && exec {command}", f"project_server_{name}"
        )
        try:
            self._address = self._wait(self._conversation, time.monotonic() + seconds + MARGIN, cancel)
        except ServerFailed as error:
            error.output = self.output(workspace)
            self._end()
            raise
        except BaseException:
            self._end()
            raise

    def _wait(self, conversation: LineConversation, end: float, cancel: Event) -> str:
        """Wait until the server answers, and return its address."""
        said: list[bytes] = []
        while (lines := conversation.receive(0.2)) is not None:
            said = (said + lines)[:_MOST_LINES]
            if found := next(filter(None, map(_READY.fullmatch, lines)), None):
                return found[1].decode()
            if cancel.is_set():
                raise ServerFailed("Its start was cancelled.")
            if time.monotonic() > end:
                raise ServerFailed("It did not answer in time.")
        reason = next((line for line in said if line.startswith(NOT_STARTED.encode())), b"")
        raise ServerFailed(reason.decode("utf-8", "replace") or "It ended.")

    def _end(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation:
            conversation.close()
