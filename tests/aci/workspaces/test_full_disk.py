"""A workspace whose disk is full raises an error and never silently loses files or test results."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from aci.host import clones
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.session_processes import SessionProcesses
from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.suite_run import run_tests
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import RunBroken, WorkspaceError
from trajectories.git_store.trees import EMPTY_TREE, Trees

LARGE = b"a = 1\n" * 10_000
FILL = """\
import os

def fill():
    with open({ballast!r}, "wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(1 << 20))
            except OSError:
                break
    with open({ballast!r}, "ab", buffering=0) as file:
        while True:
            try:
                file.write(b"x")
            except OSError:
                break
"""
FILLS = """\
import unittest
from full import fill

class Tests(unittest.TestCase):
    def test_a(self):
        fill()
        self.fail({message})
"""


class Disk:
    """A small file system in memory at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast = folder, folder / "ballast"

    def fill(self) -> None:
        with self.ballast.open("wb") as file:
            stats = os.statvfs(self.folder)
            os.posix_fallocate(file.fileno(), 0, stats.f_bavail * stats.f_frsize)

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A small disk on which local workspaces are created."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    monkeypatch.setattr(clones, "tempfile", SimpleNamespace(mkdtemp=partial(tempfile.mkdtemp, dir=folder)))
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=False)


@pytest.fixture
def open_on_disk(disk: Disk, make_repo: MakeRepo, open_ws: OpenWorkspace) -> Iterator[Callable[..., PosixWorkspace]]:
    """`open_on_disk(files)`: a local workspace on the disk, closed before the disk is unmounted."""
    workspaces = []

    def open(files: dict[str, str | bytes]) -> PosixWorkspace:
        workspaces.append(open_ws("local", make_repo(files)))
        return workspaces[-1]

    yield open
    disk.free()
    for ws in workspaces:
        ws.close()


def test_snapshot_on_full_disk_fails_and_next_is_complete(
    disk: Disk, open_on_disk: Callable[..., PosixWorkspace]
) -> None:
    ws = open_on_disk({"a.py": "a = 1\n"})
    ws.write("a.py", b"a = 2\n")
    disk.fill()
    with pytest.raises(WorkspaceError, match=r"No space|Out of diskspace"):
        ws.snapshot()
    disk.free()
    snapshot = ws.snapshot()
    assert snapshot.skipped == ()
    assert ws.options.trees.read(snapshot.tree, "a.py") == b"a = 2\n"


@pytest.mark.parametrize("free", [0, 8, 40])
def test_full_disk_of_the_trees_is_not_blamed_on_the_files(disk: Disk, tmp_path: Path, free: int) -> None:
    with Trees(tmp_path / "trees.git") as trees, Trees(disk.folder / "trees.git") as store:
        tree = trees.write({"a.bin": os.urandom(100_000)}, EMPTY_TREE)
        disk.fill()
        os.truncate(disk.ballast, disk.ballast.stat().st_size - free * 1024)
        with pytest.raises(WorkspaceError, match=r"No space|Out of diskspace") as raised:
            store.add_pack(trees.pack(tree), tree)
        assert "Free" in raised.value.fix
        with pytest.raises(WorkspaceError, match="No space") as raised:
            store.write({"b.bin": os.urandom(100_000)}, EMPTY_TREE)
        assert not isinstance(raised.value, RunBroken)
        disk.free()
        store.add_pack(trees.pack(tree), tree)
        assert store.read(tree, "a.bin") == trees.read(tree, "a.bin")


def test_restore_on_full_disk_fails_and_next_is_complete(
    disk: Disk, open_on_disk: Callable[..., PosixWorkspace]
) -> None:
    """A failed restore must leave the store's index at the tree before the restore."""
    ws = open_on_disk({"a.py": LARGE})
    ws.write("a.py", b"a = 2\n")
    disk.fill()
    with pytest.raises(WorkspaceError):
        ws.restore(ws.options.base.tree)
    disk.free()
    ws.restore(ws.options.base.tree)
    assert ws.read("a.py") == LARGE


def test_test_run_that_cannot_start_on_full_disk_raises_error(
    disk: Disk, open_on_disk: Callable[..., PosixWorkspace]
) -> None:
    ws = open_on_disk({"a.py": "a = 1\n"})
    disk.fill()
    with pytest.raises(WorkspaceError, match=r"disk|could not be"):
        run_tests(ws, "true")
    disk.free()
    assert run_tests(ws, "true").code == 0


def test_results_not_written_on_full_disk_raise_error(disk: Disk, open_on_disk: Callable[..., PosixWorkspace]) -> None:
    """The disk has free space again when the command has ended."""
    files = {"full.py": FILL.format(ballast=str(disk.ballast)), "test_a.py": FILLS.format(message="'x' * 8000")}
    ws = open_on_disk(files)
    with pytest.raises(WorkspaceError, match="The disk of the workspace is full"):
        run_tests(ws, f"python3 -m unittest test_a; code=$?; rm {disk.ballast}; exit $code")


@pytest.mark.slow
def test_tests_that_end_on_full_disk_raise_error(disk: Disk, open_on_disk: Callable[..., PosixWorkspace]) -> None:
    """The results could be written, but the tests may have failed for lack of space."""
    files = {"full.py": FILL.format(ballast=str(disk.ballast)), "test_a.py": FILLS.format(message="''")}
    ws = open_on_disk(files)
    with pytest.raises(WorkspaceError, match="The disk of the workspace is full"):
        run_tests(ws, "python3 -m unittest test_a")
    disk.free()
    assert run_tests(ws, f"python3 -m unittest test_a; rm {disk.ballast}").failed == ("test_a.Tests.test_a",)


def test_harness_command_that_could_not_start_is_retried(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_ws("local", make_repo({"a.py": "a = 1\n"}))
    errors = [WorkspaceError("No space.", "Free some.")]
    deliver = SessionProcesses.deliver

    def fail_once(self: SessionProcesses, data: bytes) -> str:
        if errors:
            raise errors.pop()
        return deliver(self, data)

    monkeypatch.setattr(SessionProcesses, "deliver", fail_once)
    assert ws.run(f"echo there; : {'x' * 50_000}", session=HARNESS_SESSION).text == "there\n"
    assert errors == []


@pytest.mark.slow
def test_harness_command_that_started_is_not_retried(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_ws("local", make_repo({"a.py": "a = 1\n"}))

    def alive(self: SessionProcesses, pid: int) -> bool:
        raise WorkspaceError("No answer.", "Try again.")

    with monkeypatch.context() as patch:
        patch.setattr(SessionProcesses, "alive", alive)
        result = ws.run("echo started >> started; sleep 3", session=HARNESS_SESSION)
    assert (result.code, result.restarted) == (1, True)
    assert ws.read("started") == b"started\n"


def test_file_name_like_disk_full_message_is_accepted(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws("local", make_repo({"a.py": "a = 1\n"}))
    workspace.run("mkdir 'No space left on device' && git -C 'No space left on device' init -q && echo x > b.py")
    assert workspace.snapshot().tree != workspace.options.base.tree


def test_fifo_in_place_of_harness_file_does_not_block(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    code = """
import glob, os, unittest

class Tests(unittest.TestCase):
    def test_a(self):
        (file,) = glob.glob(os.environ["PLACES"])
        os.mkfifo(os.path.join(os.path.dirname(file), "room"))
"""
    workspace = open_ws("local", make_repo({"test_a.py": code}))
    pattern = f"{workspace.harness}/results-*/run.json"
    report = run_tests(workspace, f"PLACES={pattern!r} python -m unittest test_a")
    assert report.summary().startswith("1 passed")
