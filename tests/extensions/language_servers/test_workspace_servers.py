"""The client against scripted servers, which run as programs of a local workspace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from extensions.language_servers import language_server, workspace_servers
from extensions.language_servers.json_rpc import InvalidMessage, MessageReader, encode_message
from extensions.language_servers.language_server import FileLine
from extensions.language_servers.workspace_servers import find_definitions, find_diagnostics, find_references
from tests.conftest import MakeRepo, OpenWorkspace, write_program
from trajectories.errors import Cancelled

SERVER = """import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "starts"), "a") as log:
    log.write("x")
with open(os.path.join(here, "pid"), "w") as log:
    log.write(str(os.getpid()))

def send(message):
    body = json.dumps(dict(message, jsonrpc="2.0")).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    sys.stdout.buffer.flush()

def receive():
    length = 0
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            sys.exit()
        if not line.strip():
            return json.loads(sys.stdin.buffer.read(length))
        length = int(line.split(b":")[1])

def at(path, line=0, **more):
    return dict(more, uri=path if ":" in path else root + path, range={{"start": {{"line": line, "character": 0}}}})

def publish(uri, version, *messages):
    found = [dict(at("", 1), message=text, severity=1) for text in messages]
    params = {{"uri": uri, "diagnostics": found}}
    send({{"method": "textDocument/publishDiagnostics", "params": dict(params, **version)}})

while True:
    message = receive()
    method, params = message.get("method"), message.get("params")
    with open(os.path.join(here, "log"), "a") as log:
        log.write(json.dumps(message) + "\\n")
    if method == "initialize":
        root = params["rootUri"] + "/"
        commands = ["typescript.tsserverRequest"] if "typescript" in sys.argv[0] else []
        capabilities = {{"executeCommandProvider": {{"commands": commands}}}}
        send({{"id": message["id"], "result": {{"capabilities": capabilities}}}})
    elif method in ("textDocument/didOpen", "textDocument/didChange"):
        document = params["textDocument"]
        text = document.get("text") or params["contentChanges"][0]["text"]
        if "silent" not in text:
            errors = ["bad\\x1b[2J name"] if "bad" in text else []
            publish(document["uri"], {{"version": document["version"]}}, *errors)
    elif method in ("textDocument/references", "workspace/symbol", "workspace/executeCommand"):
{body}
"""
A, B = "def add():\n    pass\n", "from a import add\n\nadd()\n"
ANSWER = '        send({"id": message["id"], "result": [at("b.py", 2)]})\n'

StartServer = Callable[..., PosixWorkspace]


@pytest.fixture
def serve(tmp_path: Path, make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch) -> StartServer:
    """`serve(body)`: a workspace with a server, pyright by its name, that answers a request with this code."""
    monkeypatch.setattr(language_server, "QUIET_SECONDS", 0.0)

    def start(body: str, program: str = "pyright-langserver", files: dict[str, str] | None = None) -> PosixWorkspace:
        programs = tmp_path / "programs"
        programs.mkdir()
        write_program(programs / program, SERVER.format(body=body))
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        return open_ws("local", make_repo(files or {"a.py": A, "b.py": B}))

    return start


def ask(workspace: PosixWorkspace) -> tuple[str, list[FileLine]] | None:
    options = workspace.options
    return find_references(workspace, options.trees, options.base.tree, "a.py", 1, "add")


def test_interrupt_ends_waiting_for_an_answer(serve: StartServer, tmp_path: Path) -> None:
    """The server is started again for the next question."""
    workspace = serve(ANSWER.replace("send", "os.path.exists(os.path.join(here, 'fast')) and send"))
    log = tmp_path / "programs" / "log"

    def interrupt() -> None:
        while not log.exists() or "textDocument/references" not in log.read_text():
            time.sleep(0.02)
        workspace.cancel.set()

    thread = Thread(target=interrupt)
    thread.start()
    with pytest.raises(Cancelled):
        ask(workspace)
    thread.join()
    with pytest.raises(Cancelled):
        ask(workspace)
    workspace.cancel.clear()
    (tmp_path / "programs" / "fast").touch()
    assert ask(workspace) == ("pyright", [FileLine("b.py", 3)])


def test_look_up_in_one_workspace_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, other = (type("Place", (), {})() for _ in range(2))
    looks, goes_on = Event(), Event()

    def find_program(workspace: object, suffix: str) -> None:
        if workspace is slow:
            looks.set()
            assert goes_on.wait(30)

    monkeypatch.setattr(workspace_servers, "find_program", find_program)
    first = Thread(target=workspace_servers.server_for, args=(slow, "a.py"))
    first.start()
    assert looks.wait(30)
    second = Thread(target=workspace_servers.server_for, args=(other, "a.py"), daemon=True)
    second.start()
    second.join(5)
    assert not second.is_alive()
    goes_on.set()
    first.join()


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "programs" / "starts").read_text())


def is_running(pid: str) -> bool:
    """Return whether a process exists that is no zombie."""
    try:
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_one_server_answers_all_questions_and_ends_with_the_workspace(serve: StartServer, tmp_path: Path) -> None:
    workspace = serve(ANSWER)
    assert not (tmp_path / "programs" / "starts").exists(), "it is started when it is needed"
    assert ask(workspace) == ask(workspace) == ("pyright", [FileLine("b.py", 3)])
    assert starts(tmp_path) == 1
    log = (tmp_path / "programs" / "log").read_text()
    assert '"character": 4' in log, "the place of the name"
    pid = (tmp_path / "programs" / "pid").read_text()
    assert is_running(pid)
    workspace.close()
    assert not is_running(pid)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("        time.sleep(60)\n", id="hangs"),
        pytest.param("        sys.exit()\n", id="ends"),
        pytest.param("        sys.stdout.buffer.write(b'x' * 5000); sys.stdout.buffer.flush()\n", id="no header"),
        pytest.param("        os.write(1, b'Content-Length: 3\\r\\n\\r\\n{]}')\n", id="no JSON"),
        pytest.param("        os.write(1, b'Content-Length: 999999999\\r\\n\\r\\n')\n", id="too long"),
        pytest.param(
            "        while True: send({'method': 'window/logMessage', 'params': {'message': 'x' * 10000}})\n",
            id="floods",
        ),
    ],
)
def test_server_that_fails_is_started_once_more(
    serve: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(language_server, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(language_server, "MOST_MESSAGES", 50)
    workspace = serve(body)
    assert ask(workspace) is None
    assert ask(workspace) is None
    assert starts(tmp_path) == workspace_servers.MOST_STARTS


def test_server_that_crashed_once_answers(serve: StartServer, tmp_path: Path) -> None:
    crash = '        if len(open(os.path.join(here, "starts")).read()) == 1: sys.exit()\n'
    assert ask(serve(crash + ANSWER)) == ("pyright", [FileLine("b.py", 3)])
    assert starts(tmp_path) == 2


def test_places_outside_the_repository_and_edits_are_refused(serve: StartServer, tmp_path: Path) -> None:
    """The server asks for an edit of a file, and names places that are none."""
    body = """\
        send({"id": "e", "method": "workspace/applyEdit", "params": {"edit": {"changes": {root + "a.py": []}}}})
        send({"id": "c", "method": "workspace/configuration", "params": {"items": [1] * 10000}})
        send({"id": "s", "method": "workspace/executeCommand"})
        with open(os.path.join(here, "log"), "a") as log:
            log.write(json.dumps([receive(), receive(), receive()]))
        places = [at("../x.py"), at("file:///etc/passwd"), at("http://a/b.py"), at("b.py", -1), at("b.py", "2")]
        more = [None, 7, {"uri": root + "b.py", "range": []}, at("%0Ab.py"), at("b.py", 10 ** 9), at("b.py", True)]
        send({"id": message["id"], "result": places + more + [at("b.py", 2)]})
"""
    assert ask(serve(body)) == ("pyright", [FileLine("b.py", 3)])
    log = (tmp_path / "programs" / "log").read_text()
    assert '"applied": false' in log
    assert log.count("null") < 200
    assert "not supported" in log


def test_definitions_are_those_of_the_name(serve: StartServer) -> None:
    body = """\
        found = [dict(name=name, containerName="A", location=at("b.py", 1)) for name in ("add", "adder")]
        send({"id": message["id"], "result": found + [{"name": "add"}, 3]})
"""
    workspace = serve(body)
    options = workspace.options
    found = find_definitions(workspace, options.trees, options.base.tree, "add")
    assert found == ("pyright", [FileLine("b.py", 2, "A.add")])


def test_diagnostics_of_both_states(serve: StartServer) -> None:
    workspace = serve(ANSWER)
    options = workspace.options
    workspace.write("b.py", b"bad\n")
    workspace.write("c.py", b"bad too\n")
    states = (options.base.tree, workspace.snapshot().tree)
    found = find_diagnostics(workspace, options.trees, states, {"b.py": True, "c.py": False})
    assert found
    assert found[0] == []
    assert [(one.path, one.line) for one in found[1]] == [("b.py", 2), ("c.py", 2)]


def test_server_without_diagnostics_is_none(serve: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some send none for a file without errors, so another checker must look at it."""
    monkeypatch.setattr(language_server, "PUBLISH_SECONDS", 0.5)
    workspace = serve(ANSWER)
    options, tree = workspace.options, workspace.options.base.tree
    workspace.write("silent.py", b"silent\n")
    assert ask(workspace)
    assert find_diagnostics(workspace, options.trees, (tree, workspace.snapshot().tree), {"silent.py": False}) is None


def test_files_with_the_name_are_open_for_typescript(serve: StartServer, tmp_path: Path) -> None:
    """Without a project file it knows only open files and their imports."""
    files = {"a.ts": "export const add = 1\n", "b.ts": "add\n", "c.ts": "adder\n", "d.py": "add\n"}
    workspace = serve(ANSWER, "typescript-language-server", files)
    options = workspace.options
    found = find_references(workspace, options.trees, options.base.tree, "a.ts", 1, "add")
    assert found == ("typescript-language-server", [FileLine("b.py", 3)])
    messages = [json.loads(line) for line in (tmp_path / "programs" / "log").read_text().splitlines()]
    assert messages[0]["params"]["initializationOptions"]["tsserver"] == {"useSyntaxServer": "never"}
    opened = [one["params"]["textDocument"]["uri"] for one in messages if one["method"] == "textDocument/didOpen"]
    assert [uri[-4:] for uri in opened] == ["a.ts", "b.ts"]


def test_diagnostics_of_typescript_are_those_of_tsserver(serve: StartServer) -> None:
    """The published ones of a file may be incomplete."""
    body = """\
        kind, arguments = params["arguments"]
        found = [{"start": {"line": 3}, "text": kind, "category": name} for name in ("error", "suggestion")]
        found += [{"start": {"line": -1}, "text": "none", "category": "error"}, {"category": "error"}, 7]
        send({"id": message["id"], "result": {"body": found if "edited" in text else []}})
"""
    workspace = serve(body, "typescript-language-server", {"a.ts": "good\n"})
    options = workspace.options
    workspace.write("a.ts", b"bad, edited\n")
    states = (options.base.tree, workspace.snapshot().tree)
    found = find_diagnostics(workspace, options.trees, states, {"a.ts": True})
    kinds = ("syntacticDiagnosticsSync", "semanticDiagnosticsSync")
    assert found == ([], [FileLine("a.ts", 3, kind) for kind in kinds])


@pytest.mark.slow
def test_unknown_diagnostics_of_the_first_state_make_none_new(
    serve: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_server, "START_SECONDS", 2.0)
    workspace = serve(ANSWER)
    options = workspace.options
    workspace.write("b.py", b"silent\n")
    old = workspace.snapshot().tree
    workspace.write("b.py", b"bad\n")
    assert find_diagnostics(workspace, options.trees, (old, workspace.snapshot().tree), {"b.py": True}) is None


def test_server_learns_which_files_changed(serve: StartServer, tmp_path: Path) -> None:
    workspace = serve(ANSWER)
    ask(workspace)
    workspace.write("new.py", b"")
    tree = workspace.snapshot().tree
    find_references(workspace, workspace.options.trees, tree, "a.py", 1, "add")
    log = (tmp_path / "programs" / "log").read_text()
    assert "didChangeWatchedFiles" in log
    assert 'new.py", "type": 1' in log


def test_without_server_nothing_is_started(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(PosixWorkspace, "converse", lambda *_: pytest.fail("nothing to start"))
    workspace = open_ws("local", make_repo({"a.py": A, "notes.txt": ""}))
    assert ask(workspace) is None
    options = workspace.options
    assert find_definitions(workspace, options.trees, options.base.tree, "add") is None


def test_messages_in_any_pieces() -> None:
    reader, stream = MessageReader(), encode_message({"id": 1}) + encode_message({"method": "é"})
    found = [message for number in range(len(stream)) for message in reader.feed(stream[number : number + 1])]
    assert found == [{"jsonrpc": "2.0", "id": 1}, {"jsonrpc": "2.0", "method": "é"}]
    with pytest.raises(InvalidMessage, match="no object"):
        reader.feed(b"Content-Length: 2\r\n\r\n[]")
