"""Reading and writing files: what comes back, what is refused, and that nothing blocks or leads outside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aci.runtime.control_shell import ControlShell
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.workspace import CommandResult
from tests.aci.workspaces.conformance.conftest import BINARY, FILES, LATIN, LONG, changed, out
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import UsageError

ONLY_FILES = True
"""What these cases do to their sessions need not be undone."""


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\n", bytes(range(256)) * 300, b"\\n%s'\"$(id)`\n" * 9, b"\0" * 70_000, b"\r\n\r", b"\xff\xfe"],
    ids=["nothing", "one byte", "a newline", "all bytes", "quotes", "zeros", "CR", "no text"],
)
def test_what_is_written_is_read(ws: PosixWorkspace, data: bytes) -> None:
    ws.write("deep/er/file name'", data)
    assert ws.read("deep/er/file name'") == data
    ws.write("deep/er/file name'", b"short")
    assert ws.read(f"{ws.root}/deep/er/file name'") == b"short"


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("many/")])
def test_file_of_base_is_read_and_written_whatever_its_name(ws: PosixWorkspace, name: str) -> None:
    content = FILES[name]
    assert ws.read(name) == (content.encode() if isinstance(content, str) else content)
    ws.write(name, b"other\0\r\n")
    assert ws.read(name) == b"other\0\r\n"
    assert changed(ws, ws.snapshot().tree) == {name: "M"}


@pytest.mark.parametrize(
    "name", ["n\n", "n\n\n", "dir\n/n\n", "-", "--help", "*", "~", " ", "é", LATIN + "x", LONG + "x"]
)
def test_new_file_may_have_any_name(ws: PosixWorkspace, name: str) -> None:
    ws.write(name, name.encode("utf-8", "surrogateescape"))
    assert ws.read(name) == name.encode("utf-8", "surrogateescape")
    assert changed(ws, ws.snapshot().tree) == {name: "A"}


def test_name_that_is_too_long(ws: PosixWorkspace) -> None:
    for use in (lambda: ws.read("n" * 300), lambda: ws.write("n" * 300, b"")):
        with pytest.raises((UsageError, OSError)):
            use()
    assert ws.read("README") == b"hello\n"


def test_writing_keeps_mode(ws: PosixWorkspace) -> None:
    ws.write("run.sh", b"#!/bin/sh\necho new\n")
    assert out(ws, "./run.sh") == "new"


def test_megabyte_and_more(ws: PosixWorkspace) -> None:
    data = os.urandom(1_500_000)
    ws.write("big", data)
    assert ws.read("big") == data


def test_scratch_and_harness_are_outside_tree(ws: PosixWorkspace) -> None:
    ws.write(f"{ws.scratch}/note", b"n")
    ws.write(f"{ws.harness}/plug/in.py", b"h")
    assert ws.read(f"{ws.scratch}/note") + ws.read(f"{ws.harness}/plug/in.py") == b"nh"
    assert ws.snapshot().tree == ws.options.base.tree


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "out", "etc/passwd", "nowhere-link", "a/../../x", "", "a\0b", "loop", "."]
)
def test_paths_do_not_leave(ws: PosixWorkspace, path: str) -> None:
    ws.run("ln -s /etc etc; ln -s ../../nowhere/x nowhere-link")
    with pytest.raises((UsageError, FileNotFoundError, IsADirectoryError)):
        ws.read(path)
    with pytest.raises((UsageError, FileNotFoundError, IsADirectoryError)):
        ws.write(path, b"x")


def test_through_links_that_stay_inside(ws: PosixWorkspace) -> None:
    assert ws.read("link") == b"hello\n"
    assert ws.read("folder link/mod.py") == str(FILES["pkg/mod.py"]).encode()
    ws.write("link", b"through\n")
    assert ws.read("README") == b"through\n"
    assert changed(ws, ws.snapshot().tree) == {"README": "M"}, "the link is still one"
    ws.write("dangling", b"made\n")
    assert ws.read("nowhere") == b"made\n"


@pytest.mark.parametrize(
    ("path", "raised"),
    [("none", FileNotFoundError), ("none/at/all", FileNotFoundError), ("pkg", IsADirectoryError)],
)
def test_reading_what_is_no_file(ws: PosixWorkspace, path: str, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        ws.read(path)


@pytest.mark.parametrize(("path", "raised"), [("pkg", IsADirectoryError), ("README/below", UsageError)])
def test_writing_where_no_file_can_be(ws: PosixWorkspace, path: str, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        ws.write(path, b"")


@pytest.mark.parametrize("special", ["mkfifo there", "ln -s /dev/zero there", "ln -s /dev/stdin there"])
def test_what_would_block_is_refused(ws: PosixWorkspace, special: str) -> None:
    ws.run(special)
    for use in (lambda: ws.read("there"), lambda: ws.write("there", b"x")):
        with pytest.raises((UsageError, FileNotFoundError)):
            use()


def test_limit_is_kept(ws: PosixWorkspace) -> None:
    with pytest.raises(UsageError):
        ws.read("README", limit=5)
    assert ws.read("README", limit=6) == b"hello\n"
    ws.run("truncate -s 60000000 sparse")
    with pytest.raises(UsageError):
        ws.read("sparse")
    assert ws.read("image.png", limit=len(BINARY)) == BINARY


def test_no_permission_is_told(ws: PosixWorkspace) -> None:
    if out(ws, "echo x > closed; chmod 000 closed; cat closed 2>/dev/null || :"):
        pytest.skip("root reads everything here")
    with pytest.raises(PermissionError):
        ws.read("closed")


def test_read_only_file_and_folder(ws: PosixWorkspace) -> None:
    ws.run("chmod 444 README; mkdir ro; chmod 555 ro")
    if ws.run("echo x > ro/x").code == 0:
        pytest.skip("root writes everywhere here")
    for path in ("README", "ro/new"):
        with pytest.raises(PermissionError):
            ws.write(path, b"x")


def swap(folder: Path, program: str, commands: str) -> None:
    """A `program` of the workspace's that first runs `commands`, its last argument in `$last`."""
    folder.mkdir()
    (folder / program).write_text(f'#!/bin/sh\nfor last; do :; done\n{commands}\nexec {shutil.which(program)} "$@"\n')
    (folder / program).chmod(0o755)


@pytest.mark.parametrize(
    ("commands", "raised"),
    [
        ('rm "$last"', FileNotFoundError),
        ('rm "$last"; mkdir "$last"', IsADirectoryError),
        ('rm "$last"; mkfifo "$last"', UsageError),
    ],
)
def test_file_that_changes_while_it_is_read(
    make_repo: MakeRepo,
    open_ws: OpenWorkspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    commands: str,
    raised: type[Exception],
) -> None:
    swap(tmp_path / "bin", "head", commands)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("aci.runtime.workspace_files._PATIENCE", 1.0)
    ws = open_ws("local", make_repo({"README": "hello\n"}))
    with pytest.raises(raised):
        ws.read("README")
    with pytest.raises(FileNotFoundError):
        ws.read("none")


@pytest.mark.slow
def test_file_that_becomes_pipe_before_it_is_written(ws: PosixWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put = ControlShell.put

    def late(service: ControlShell, path: bytes, data: bytes, *more: float) -> CommandResult:
        ws.run("rm README; mkfifo README")
        return put(service, path, data, *more)

    monkeypatch.setattr("aci.runtime.workspace_files._PATIENCE", 1.0)
    monkeypatch.setattr(ControlShell, "put", late)
    with pytest.raises(UsageError):
        ws.write("README", b"x")
    assert ws.read("pkg/mod.py")
