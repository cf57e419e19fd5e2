"""A project's server: its start, restart and end, and commands beside it."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from extensions.pages.browser.project_server import ServerPlan
from extensions.pages.browser.server_process import (
    NOT_STARTED,
    ProjectServer,
    ServerFailed,
    server_files,
    server_of,
    with_server,
)

pytestmark = pytest.mark.slow

PAGES = ServerPlan("exec python3 -m http.server $PORT --bind 127.0.0.1", "test", reloads=True)
LOADED = """\
import http.server, os, subprocess, sys
text = open("page.txt", "rb").read()
subprocess.Popen(["sleep", "1000"], start_new_session=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end":
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text)
print("loaded", text, flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
SILENT_PROGRAM = 'import os, socket; link = socket.create_server(("127.0.0.1", int(os.environ["PORT"]))); input()'
LOADING = ServerPlan("python3 serve.py", "test")
SILENT = f"exec python3 -c '{SILENT_PROGRAM}'"
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode(), end='')"


@pytest.fixture(autouse=True)
def one_at_a_time():
    """Local workspaces share the ports of this machine, which the program tries in the same order."""
    with FileLock(Path(tempfile.gettempdir(), f"swe-agent-server-tests-{os.getuid()}.lock")):
        yield


@pytest.fixture
def workspace(make_repo, open_ws):
    return open_ws("local", make_repo({"page.txt": "old", "serve.py": LOADED}))


@pytest.fixture
def serve(workspace):
    """`serve(plan)`: the server of the workspace, with this plan. It is closed after the test."""
    servers = []

    def make(plan):
        servers.append(ProjectServer(plan))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def fetch(workspace, address):
    return workspace.run(f'python3 -c "{FETCH}" {address}').text


def marked(workspace):
    """Return the processes of the workspace's servers."""
    return workspace.run(f"grep -lzsF SWE_AGENT_GUEST={workspace.harness}/ /proc/[0-9]*/environ").text.split()


def test_a_server_is_kept_while_its_files_are_the_same(workspace, serve):
    server = serve(LOADING)
    address = server.address(workspace, "first")
    assert fetch(workspace, address) == "old"
    workspace.write("page.txt", b"new")
    assert (server.address(workspace, "first"), server.note) == (address, "")
    again = server.address(workspace, "second")
    assert (fetch(workspace, again), server.note.count("does not reload")) == ("new", 1)
    assert "loaded b'new'" in server.output(workspace)
    workspace.run(f'python3 -c "{FETCH}" {again}/end')
    assert fetch(workspace, server.address(workspace, "second")) == "new"
    assert "had ended" in server.note


def test_a_server_that_reloads_is_not_restarted(workspace, serve):
    server = serve(PAGES)
    first = server.address(workspace, "first")
    assert (server.address(workspace, "second"), server.note) == (first, "")


def test_a_server_ends_with_its_children(workspace, serve):
    server = serve(LOADING)
    server.address(workspace, "")
    assert len(marked(workspace)) >= 2
    server.close()
    server.close()
    assert marked(workspace) == []
    serve(LOADING).address(workspace, "")
    workspace.close()
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if f"{workspace.harness}/".encode() in read(path)]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("echo broken; exit 3", "it ended"),
        ("while :; do echo endless; done", "did not answer in 2 seconds"),
        ("echo http://example.org:80/ http://localhost:99999/; sleep 100", "did not answer in 2 seconds"),
        (SILENT, "did not answer in 2 seconds"),
        ("kill -STOP $PPID; sleep 100", "did not answer in"),
    ],
)  # fmt: skip
def test_failed_starts(workspace, serve, command, reason, monkeypatch):
    monkeypatch.setattr("extensions.pages.browser.server_process.MARGIN", 2.0)
    server = serve(ServerPlan(command, "test"))
    with pytest.raises(ServerFailed, match=reason) as caught:
        server.address(workspace, "", seconds=2)
    assert ("e" in caught.value.output) == ("echo" in command)
    assert len(caught.value.output) <= 65_536
    assert marked(workspace) == []


def test_a_printed_address_is_used(workspace, serve):
    command = r"printf 'Local: \033[36mhttp://localhost:\033[1m8399\033[0m/\n'; exec python3 -m http.server 8399"
    assert serve(ServerPlan(command, "test")).address(workspace, "") == "http://127.0.0.1:8399"


def test_a_port_that_was_in_use_before_is_not_the_server(workspace, serve):
    workspace.run("python3 -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1 & sleep 1")
    with pytest.raises(ServerFailed):
        serve(ServerPlan("sleep 100", "test", ports=(8000,))).address(workspace, "", seconds=2)


def test_a_start_can_be_cancelled(workspace, serve):
    cancel = threading.Event()
    timer = threading.Timer(1.0, cancel.set)
    timer.start()
    with pytest.raises(ServerFailed, match="cancelled"):
        serve(ServerPlan("sleep 100", "test")).address(workspace, "", seconds=300, cancel=cancel)
    assert marked(workspace) == []


@pytest.mark.parametrize("program", ["python3", "node"])
def test_a_command_runs_beside_the_server(workspace, program):
    if program == "node" and not workspace.run("command -v node").text:
        pytest.skip("node is not installed")
    folder = f"{workspace.harness}/server"
    for name, data in server_files().items():
        data = data.replace(b"command -v python3", b"command -v python4") if program == "node" else data
        workspace.write(f"{folder}/{name}", data)
    plan = ServerPlan('exec node "$SWE_AGENT_GUEST/static_server.cjs"', "test") if program == "node" else PAGES
    command = f'echo "$BASE_URL" "$PLAYWRIGHT_TEST_BASE_URL"; python3 -c "{FETCH}" "$BASE_URL/page.txt"; exit 7'
    ran = workspace.run(f"cd {workspace.root} && {with_server(command, plan, folder)}")
    first, second = ran.text.splitlines()
    assert (ran.code, second, len(set(first.split()))) == (7, "old", 1)
    assert marked(workspace) == []


def test_a_command_does_not_run_without_its_server(workspace):
    folder = f"{workspace.harness}/server"
    for name, data in server_files().items():
        workspace.write(f"{folder}/{name}", data)
    broken, said = (
        ServerPlan("echo broken >&2; exit 1", "test"),
        [f"{NOT_STARTED}: it ended. Its last output:", "broken"],
    )
    ran = workspace.run(with_server("echo ran", broken, folder))
    assert (ran.code, ran.text.splitlines()) == (126, said)
    workspace.run(f"rm {folder}/server.log* {folder}/stdin")
    ran = workspace.run(with_server("echo ran; exit 3", broken, folder, is_needed=False))
    assert (ran.code, ran.text.splitlines()) == (3, [*said, "ran"])


def test_a_workspace_without_isolation_has_no_server(make_repo, open_ws):
    assert server_of(open_ws("local", make_repo({"index.html": ""}))) is None
