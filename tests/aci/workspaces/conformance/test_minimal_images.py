"""Minimal images: without Python, with busybox as the only program, or with the repository inside."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.workspace import Snapshot
from tests.aci.workspaces.conformance.conftest import changed, check_output
from tests.aci.workspaces.conformance.test_shell_sessions import running_commands
from tests.conftest import IMAGE, MakeRepo, OpenWorkspace
from trajectories.errors import UsageError, WorkspaceError

pytestmark = [pytest.mark.slow, pytest.mark.docker]

FILES = {
    "README": "hello\n",
    ".gitignore": "*.log\n",
    "pkg/mod.py": "x = 1\n",
    "new\nline": "n\n",
    "run.sh": "echo ran\n",
}
NO_PYTHON = "rm -rf /usr/bin/*python* /usr/lib/python3* /usr/local/lib/python3*"
INSIDE = (
    f"{NO_PYTHON}; mkdir /testbed; cd /testbed; git init -q; echo old > README; echo built > ext.log; git add -A;"
    "git -c user.name=a -c user.email=a@b commit -qm secret-fix; git tag v9"
)
ONLY_BUSYBOX = """
cp /busybox /usr/bin/busybox
cd /usr/bin
for name in *; do
    case $name in git*|busybox) ;; *) busybox rm -rf "$name" ;; esac
done
busybox rm -rf /usr/lib/python3* /usr/lib/*/perl* /usr/share/perl*
busybox --install -s /usr/bin
"""


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True).stdout.decode().strip()


def build(commands: str) -> str:
    """Build an image from the test image with these commands and this machine's busybox at /busybox."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    shell = ["/busybox", "sh", "-ec"] if commands == ONLY_BUSYBOX else ["sh", "-ec"]
    create = ["create", "--label=swe-agent=1", "--network=none", f"--entrypoint={shell[0]}"]
    container = docker(*create, IMAGE, *shell[1:], commands)
    try:
        if busybox := shutil.which("busybox"):
            docker("cp", busybox, f"{container}:/busybox")
        docker("start", "-a", container)
        docker("commit", container, name)
    finally:
        docker("rm", "-f", container)
    return name


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(NO_PYTHON, id="no Python"),
        pytest.param(
            ONLY_BUSYBOX,
            id="only busybox",
            marks=pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox to put into an image"),
        ),
        pytest.param(INSIDE, id="repository at /testbed"),
    ],
)
def image(request: pytest.FixtureRequest) -> Iterator[str]:
    name = build(request.param)
    yield name
    subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True)


def test_minimal_image_supports_all_operations(image: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", make_repo(FILES), image=image)
    base = ws.options.base.tree
    assert ws.run("python3 -c 1").code == 127
    assert check_output(ws, "git rev-parse HEAD; git status --porcelain; git tag") == ws.options.base.commit
    _check_commands(ws)
    _check_files(ws)
    _check_trees(ws)
    with ws.fork(base) as fork:
        assert fork.snapshot(exact=True) == Snapshot(base)


def _check_commands(ws: PosixWorkspace) -> None:
    ws.run("cd pkg; export A=kept")
    assert ws.run("echo output; exit 3").code == 3
    assert check_output(ws, "echo $A; pwd") == f"kept\n{ws.root}/pkg"
    result = ws.run("cd ..; echo output; (setsid sleep 301 &); sleep 302", timeout=0.8)
    assert (result.timed_out, result.text) == (True, "output\n")
    assert running_commands(ws, "sleep 301", "sleep 302") == []
    assert ws.run("echo 'open").code != 0
    assert check_output(ws, "cd ..; x=" + "a" * 100_000 + "; echo ${#x}") == "100000"


def _check_files(ws: PosixWorkspace) -> None:
    data = bytes(range(256)) * 500
    for name in ("new\nline", "deep/er/x", "-rf"):
        ws.write(name, data)
        assert ws.read(name) == data
    ws.run("ln -s /etc/passwd out; mkfifo fifo")
    for path in ("out", "fifo", "../x"):
        with pytest.raises(UsageError):
            ws.read(path)
    with pytest.raises(FileNotFoundError):
        ws.read("none")
    ws.restore(ws.options.base.tree)


def _check_trees(ws: PosixWorkspace) -> None:
    base = ws.options.base.tree
    ws.run("echo new > a; chmod +x run.sh; rm README; mkfifo README; git init -q nest; echo 1 > x.log")
    ws.run("mkdir ro; echo 1 > ro/x.log; chmod 555 ro")
    snapshot = ws.snapshot()
    assert changed(ws, snapshot.tree) == {"a": "A", "run.sh": "M"}
    assert "README" in " ".join(snapshot.skipped)
    ws.restore(base)
    assert ws.snapshot(exact=True) == Snapshot(base)
    ws.restore(snapshot.tree)
    assert ws.snapshot(exact=True) == Snapshot(snapshot.tree)
    ws.restore(base)


def test_hanging_git_of_image_is_reported(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = '#!/bin/sh\\ncase "$*" in *index-pack*) exec sleep 1000 ;; esac\\nexec /usr/bin/real-git "$@"\\n'
    name = build(f"mv $(command -v git) /usr/bin/real-git; printf '{fake}' > /usr/bin/git; chmod +x /usr/bin/git")
    monkeypatch.setattr("aci.docker.base_image.LONG", 0.5)
    try:
        with pytest.raises(WorkspaceError, match="`git` of the image did not end within") as caught:
            open_ws("docker", make_repo({"README": "hello\n"}), image=name)
        assert "--image" in caught.value.fix
    finally:
        subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True)
