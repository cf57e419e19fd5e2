"""The language servers of a workspace: found and started when they are first needed, and restarted once.

MarsCode Agent (arXiv 2409.00899) gives its agents a language server's definitions, references and diagnostics. A
server runs in the workspace, never beside it, and ends with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from extensions.language_servers.language_server import FileLine, LanguageServer, ServerFailed
from extensions.language_servers.mentioning_files import find_mentions
from extensions.language_servers.server_programs import MODULES_PATH, PROGRAMS, ServerProgram, find_program, in_root
from trajectories.errors import Cancelled, WorkspaceError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Trees

MOST_STARTS = 2
Answer = TypeVar("Answer")


class WorkspaceServer:
    """The server of a workspace for one kind of file, if there is one. `tree` is the state of the files that it
    knows."""

    def __init__(self, program: ServerProgram | None) -> None:
        self.program = program
        self._server: LanguageServer | None = None
        self._starts = 0
        self._tree = ""
        self._lock = Lock()

    def ask(
        self, workspace: Workspace, trees: Trees, tree: str, question: Callable[[LanguageServer], Answer]
    ) -> Answer | None:
        """Return the answer of the server, after it was told what changed up to `tree`; None if it cannot answer. A
        server that fails is started again, once.

        Raises Cancelled if the workspace is stopped; the server then ends and can be started again.
        """
        with self._lock:
            while self.program and (self._server or self._starts < MOST_STARTS):
                try:
                    server = self._server or self._start(workspace, self.program, tree)
                    server.report_changes([(one.path, one.status) for one in trees.changed(self._tree, tree)])
                    self._tree = tree
                    return question(server)
                except (ServerFailed, WorkspaceError):
                    self._end()
                except Cancelled:
                    self._end()
                    self._starts -= 1
                    raise
            return None

    def _start(self, workspace: Workspace, program: ServerProgram, tree: str) -> LanguageServer:
        self._starts += 1
        command = f"{MODULES_PATH}; exec {program.program} {program.arguments} 2>/dev/null"
        conversation = workspace.converse(in_root(workspace, command), f"language_server_{self._starts}")
        self._server = LanguageServer(conversation, workspace.root, program.languages, workspace.cancel)
        self._tree = tree
        self._server.start(program.options)
        return self._server

    def _end(self) -> None:
        if self._server:
            self._server.close()
        self._server = None


class WorkspaceServers:
    """The servers of a workspace. Whether one is installed is looked up once; other workspaces do not wait for it."""

    def __init__(self) -> None:
        self._known: dict[str, WorkspaceServer] = {}
        self._lock = Lock()

    def of(self, workspace: Workspace, suffix: str) -> WorkspaceServer:
        """Return the server for files with this suffix."""
        with self._lock:
            if suffix not in self._known:
                program = find_program(workspace, suffix)
                others = (one for one in self._known.values() if one.program == program)
                self._known[suffix] = next(others, None) or WorkspaceServer(program)
            return self._known[suffix]


_servers: WeakKeyDictionary[Workspace, WorkspaceServers] = WeakKeyDictionary()
_lock = Lock()


def server_for(workspace: Workspace, path: str) -> WorkspaceServer:
    """Return the server for files like this one. Raises Cancelled if the workspace is stopped."""
    with _lock:
        servers = _servers.setdefault(workspace, WorkspaceServers())
    return servers.of(workspace, f".{path.rpartition('.')[2]}")


def find_references(
    workspace: Workspace, trees: Trees, tree: str, path: str, line: int, name: str
) -> tuple[str, list[FileLine]] | None:
    """Return the name of a server and its references to the definition of `name` in this line; None if no server
    answers."""
    server = server_for(workspace, path)
    if server.program is None:
        return None
    text = trees.read(tree, path).decode("utf-8", "replace")
    lines = text.split("\n")
    place = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", lines[line - 1]) if 0 < line <= len(lines) else None
    if place is None:
        return None
    mentions = _mentions(trees, tree, server.program, path, name)
    found = server.ask(workspace, trees, tree, lambda one: one.references(path, text, line, place.start(), mentions))
    return None if found is None else (server.program.name, found)


def find_definitions(workspace: Workspace, trees: Trees, tree: str, name: str) -> tuple[str, list[FileLine]] | None:
    """Return the name of the first server that knows a name, and the lines that define it; None if none does."""
    first: dict[str, str] = {}
    for path in trees.files(tree):
        first.setdefault(f".{path.rpartition('.')[2]}", path)
    for suffix in (suffix for suffix in first if any(suffix in one.languages for one in PROGRAMS)):
        server, path = server_for(workspace, first[suffix]), first[suffix]
        if server.program is None:
            continue
        texts = {path: trees.read(tree, path).decode("utf-8", "replace")}
        texts |= _mentions(trees, tree, server.program, path, name)

        def ask(one: LanguageServer, texts: Mapping[str, str] = texts) -> list[FileLine]:
            return one.definitions(name, texts)

        if found := server.ask(workspace, trees, tree, ask):
            return server.program.name, found
    return None


def _mentions(trees: Trees, tree: str, program: ServerProgram, path: str, name: str) -> dict[str, str]:
    return find_mentions(trees, tree, program.languages, path, name) if program.needs_open_files else {}


def find_diagnostics(
    workspace: Workspace, trees: Trees, trees_to_compare: tuple[str, str], paths: Mapping[str, bool]
) -> tuple[list[FileLine], list[FileLine]] | None:
    """Return a server's diagnostics of files in the first tree and in the second, which the workspace holds; None if no
    server sends any. `paths`, all of one kind, tell whether a file is in the first tree."""
    server = server_for(workspace, next(iter(paths), ""))
    old, new = trees_to_compare

    def texts(tree: str, chosen: list[str]) -> dict[str, str]:
        return {path: trees.read(tree, path).decode("utf-8", "replace") for path in chosen}

    def ask(one: LanguageServer) -> tuple[list[FileLine], list[FileLine]] | None:
        before = one.diagnostics(texts(old, [path for path in paths if paths[path]]))
        after = one.diagnostics(texts(new, list(paths)))
        one.hide(paths)
        return None if before is None or after is None else (before, after)

    return server.ask(workspace, trees, new, ask)
