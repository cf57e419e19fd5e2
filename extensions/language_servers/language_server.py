"""A running language server, spoken to over one pipe. What it sends is untrusted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from extensions.language_servers.json_rpc import InvalidMessage, MessageReader, encode_message
from trajectories.errors import Cancelled

if TYPE_CHECKING:
    from threading import Event

    from aci.runtime.workspace import LineConversation

START_SECONDS, ANSWER_SECONDS = 60.0, 30.0
PUBLISH_SECONDS = 30.0
"""How long to wait for diagnostics after the first ones: some servers send none for a file without errors."""
QUIET_SECONDS = 1.0
"""How long a server must send no diagnostics of a file for these to count as complete: some send them in parts."""
TICK = 0.2
"""Maximum number of seconds between two checks for an interrupt."""
MOST_BYTES, MOST_MESSAGES, MOST_ITEMS = 64_000_000, 20_000, 5_000
"""Maximum number of bytes and messages until an answer, and of items that are read from an answer."""
MOST_LINE, MOST_NAME, MOST_TEXT = 10_000_000, 200, 2_000
TSSERVER_REQUEST = "typescript.tsserverRequest"
_ERROR, _WARNING = 1, 2
CAPABILITIES: dict[str, Any] = {
    "workspace": {"configuration": True, "didChangeWatchedFiles": {"dynamicRegistration": True}},
    "textDocument": {"references": {}, "publishDiagnostics": {"versionSupport": True}},
    "general": {"positionEncodings": ["utf-16"]},
}


class ServerFailed(Exception):
    """The server ended, gave no answer in time, sent too much or did not follow the protocol."""


class FileLine(NamedTuple):
    """A line of a file in the workspace. `text` is a message about it."""

    path: str
    line: int
    text: str = ""


class LanguageServer:
    """A started server. Raises ServerFailed, or Cancelled once `cancel` is set; it is of no use afterwards."""

    def __init__(self, conversation: LineConversation, root: str, languages: Mapping[str, str], cancel: Event) -> None:
        self._conversation, self._root, self._languages, self._cancel = conversation, root, languages, cancel
        self._reader = MessageReader()
        self._number = 0
        self._has_loaded = False
        self._answers: dict[int, dict[str, Any]] = {}
        self._diagnostics: dict[str, list[FileLine]] = {}
        self._published_at: dict[str, float] = {}
        self._versions: dict[str, int] = {}
        self._commands: list[str] = []

    def start(self, options: Mapping[str, Any]) -> None:
        """Start the protocol with a server's own options."""
        uri = self._uri("")
        folders = [{"uri": uri, "name": "repository"}]
        parameters = {"processId": None, "rootUri": uri, "workspaceFolders": folders, "capabilities": CAPABILITIES}
        parameters["initializationOptions"] = dict(options)
        answer = self._request("initialize", parameters, START_SECONDS)
        commands = _at(answer, "capabilities", "executeCommandProvider", "commands")
        self._commands = commands if isinstance(commands, list) else []
        self._notify("initialized", {})

    def close(self) -> None:
        self._conversation.close()

    def report_changes(self, changes: Sequence[tuple[str, str]]) -> None:
        """Tell the server which files changed on disk, each with git's letter for the change."""
        kinds = {"A": 1, "D": 3}
        events = [{"uri": self._uri(path), "type": kinds.get(status, 2)} for path, status in changes]
        if events:
            self._notify("workspace/didChangeWatchedFiles", {"changes": events})

    def references(
        self, path: str, text: str, line: int, column: int, others: Mapping[str, str] = MappingProxyType({})
    ) -> list[FileLine]:
        """Return the lines that refer to the name at a place of a file with this text, while the texts of other files
        are open too; lines count from 1, columns from 0."""
        texts = {path: text, **others}
        self._load_project(path, text)
        self._open(texts)
        before = text.split("\n")[line - 1][:column]
        position = {"line": line - 1, "character": len(before.encode("utf-16-le", "surrogatepass")) // 2}
        document = {"uri": self._uri(path)}
        asked = {"textDocument": document, "position": position, "context": {"includeDeclaration": False}}
        found = self._request("textDocument/references", asked, ANSWER_SECONDS)
        self.hide(texts)
        items = found if isinstance(found, list) else []
        lines = (self._file_line(item.get("uri"), item) for item in items[:MOST_ITEMS] if isinstance(item, dict))
        return sorted({one for one in lines if one})

    def definitions(self, name: str, texts: Mapping[str, str]) -> list[FileLine]:
        """Return the lines that define a name, variables and attributes included, each with its dotted name, while
        files with these texts are open."""
        self._load_project(*next(iter(texts.items())))
        self._open(texts)
        found = self._request("workspace/symbol", {"query": name}, ANSWER_SECONDS)
        self.hide(texts)
        lines = []
        for item in found[:MOST_ITEMS] if isinstance(found, list) else ():
            place, own = _at(item, "location"), str(_at(item, "name"))
            if isinstance(place, dict) and own.rpartition(".")[2] == name:  # gopls names "package.Type.method"
                owner = _at(item, "containerName")
                dotted = f"{owner}.{own}" if isinstance(owner, str) and owner and own == name else own
                lines.append(self._file_line(place.get("uri"), place, dotted[:MOST_NAME]))
        return sorted({one for one in lines if one})

    def _load_project(self, path: str, text: str) -> None:
        """Wait, once, until the server has published diagnostics of a file. Some answer before they have read the
        project, with the references in this file only."""
        if not self._has_loaded:
            self.show_text(path, text)
            self._wait_until_published([path])

    def diagnostics(self, texts: Mapping[str, str]) -> list[FileLine] | None:
        """Return the errors and warnings of files, as if they had these texts; None if the server sends none for one of
        them, not even that there are none."""
        for path, text in texts.items():
            self.show_text(path, text)
        if TSSERVER_REQUEST in self._commands:
            return self._tsserver_diagnostics(texts)
        if not self._wait_until_published(texts):
            return None
        return [one for path in texts for one in self._diagnostics[path]]

    def _tsserver_diagnostics(self, paths: Iterable[str]) -> list[FileLine] | None:
        """Return the diagnostics of open files by requests to tsserver. typescript-language-server publishes them in
        parts and without a version, so a client cannot know whether a text has been checked."""
        found = []
        for path in paths:
            for kind in ("syntacticDiagnosticsSync", "semanticDiagnosticsSync"):
                asked = {"command": TSSERVER_REQUEST, "arguments": [kind, {"file": self._uri(path)}]}
                items = _at(self._request("workspace/executeCommand", asked, ANSWER_SECONDS), "body")
                if not isinstance(items, list):
                    return None
                for item in items[:MOST_ITEMS]:
                    line = _at(item, "start", "line")
                    if _at(item, "category") in ("error", "warning") and _is_line(line):
                        found.append(FileLine(path, line, str(_at(item, "text"))[:MOST_TEXT]))
        return found

    def show_text(self, path: str, text: str) -> None:
        """Let the server take this text for the file's content."""
        uri, version = self._uri(path), self._versions.get(path, 0) + 1
        self._versions[path] = version
        self._published_at.pop(path, None)
        document: dict[str, Any] = {"uri": uri, "version": version}
        if version > 1:
            self._notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
            return
        language = self._languages.get(f".{path.rpartition('.')[2]}", "")
        self._notify("textDocument/didOpen", {"textDocument": document | {"languageId": language, "text": text}})

    def hide(self, paths: Iterable[str]) -> None:
        """Let the server read these files from disk again."""
        for path in paths:
            if self._versions.pop(path, 0):
                self._notify("textDocument/didClose", {"textDocument": {"uri": self._uri(path)}})

    def _open(self, texts: Mapping[str, str]) -> None:
        for path, text in texts.items():
            if path not in self._versions:
                self.show_text(path, text)

    def _wait_until_published(self, paths: Iterable[str]) -> bool:
        """Wait until the server has published diagnostics of these files; return whether it has. The first time, it may
        have to read the project."""
        end = time.monotonic() + (PUBLISH_SECONDS if self._has_loaded else START_SECONDS)
        self._has_loaded = True
        while not self._is_published(paths):
            if time.monotonic() > end:
                return all(path in self._published_at for path in paths)
            self._receive(min(TICK, QUIET_SECONDS))
        return True

    def _is_published(self, paths: Iterable[str]) -> bool:
        now = time.monotonic()
        return all(path in self._published_at and now - self._published_at[path] > QUIET_SECONDS for path in paths)

    def _request(self, method: str, parameters: dict[str, Any], seconds: float) -> Any:
        self._number += 1
        number, end, budget = self._number, time.monotonic() + seconds, [MOST_BYTES, MOST_MESSAGES]
        self._send({"id": number, "method": method, "params": parameters})
        while number not in self._answers:
            left = end - time.monotonic()
            if left <= 0:
                raise ServerFailed(f"it does not answer {method}")
            size, count = self._receive(min(left, TICK))
            budget = [budget[0] - size, budget[1] - count]
            if min(budget) < 0:
                raise ServerFailed("it sends too much")
        answer = self._answers.pop(number)
        self._answers.clear()
        if "error" in answer:
            return None
        return answer.get("result")

    def _receive(self, seconds: float) -> tuple[int, int]:
        """Handle the messages that come within this time, or the next TICK seconds; return the number of their bytes
        and messages."""
        if self._cancel.is_set():
            raise Cancelled("Interrupted while a language server was asked.", "`swe-agent resume` continues from here.")
        data = self._conversation.receive_bytes(min(seconds, TICK))
        if data is None:
            raise ServerFailed("it has ended")
        try:
            messages = self._reader.feed(data)
        except InvalidMessage as error:
            raise ServerFailed(str(error)) from None
        for message in messages:
            self._handle(message)
        return len(data), len(messages)

    def _handle(self, message: dict[str, Any]) -> None:
        number, method = message.get("id"), message.get("method")
        if method is None:
            if isinstance(number, int) and number == self._number:
                self._answers[number] = message
        elif number is not None:
            self._send({"id": number, **self._answer(str(method), message.get("params"))})
        elif method == "textDocument/publishDiagnostics" and isinstance(message.get("params"), dict):
            self._keep_diagnostics(message["params"])

    def _answer(self, method: str, parameters: Any) -> dict[str, Any]:
        """Return the answer to a request of the server. Edits are refused: only the model's actions change files."""
        if method == "workspace/configuration":
            items = parameters.get("items") if isinstance(parameters, dict) else None
            return {"result": [None] * min(len(items), 100) if isinstance(items, list) else []}
        if method == "workspace/applyEdit":
            return {"result": {"applied": False}}
        if method in ("client/registerCapability", "window/workDoneProgress/create", "window/showMessageRequest"):
            return {"result": None}
        return {"error": {"code": -32601, "message": "not supported"}}

    def _keep_diagnostics(self, parameters: dict[str, Any]) -> None:
        path, version = self._path(parameters.get("uri")), parameters.get("version")
        if path not in self._versions or version not in (None, self._versions[path]):
            return
        items = parameters.get("diagnostics")
        found = []
        for item in items[:MOST_ITEMS] if isinstance(items, list) else ():
            if isinstance(item, dict) and item.get("severity") in (_ERROR, _WARNING, None):
                one = self._file_line(parameters.get("uri"), item, str(item.get("message"))[:MOST_TEXT])
                found += [one] if one else []
        self._diagnostics[path], self._published_at[path] = found, time.monotonic()

    def _file_line(self, uri: object, item: dict[str, Any], text: str = "") -> FileLine | None:
        """Return the first line of a range; None if it is none in the repository."""
        path, start = self._path(uri), _at(item, "range", "start", "line")
        return FileLine(path, start + 1, text) if path and _is_line(start) else None

    def _uri(self, path: str) -> str:
        return f"file://{quote(f'{self._root}/{path}'.rstrip('/'))}"

    def _path(self, uri: object) -> str:
        """Return the path of a URI relative to the repository; "" if it is none."""
        if not isinstance(uri, str) or not uri.startswith("file://"):
            return ""
        whole = unquote(uri.removeprefix("file://"))
        path = whole.removeprefix(f"{self._root}/")
        is_inside = path != whole and path.isprintable() and not {"", ".", ".."} & set(path.split("/"))
        return path if is_inside else ""

    def _notify(self, method: str, parameters: dict[str, Any]) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        self._conversation.send_bytes(encode_message(message))


def _at(value: Any, *names: str) -> Any:
    """Return what is below these names in nested objects, or None."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_line(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_LINE
