"""Reading and writing files: exact content, refused paths, and no operation that blocks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aci.runtime.control_shell import ControlShell
from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.workspace import CommandResult
from tests.aci.workspaces.conformance.conftest import BINARY, FILES, LATIN, LONG, changed, check_output
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import UsageError

ONLY_FILES = True
"""Tests in this module need no reset of the sessions."""


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\n", bytes(range(256)) * 300, b"\\n%s'\"$(id)`\n" * 9, b"\0" * 70_000, b"\r\n\r", b"\xff\xfe"],
    ids=["nothing", "one byte", "a newline", "all bytes", "quotes", "zeros", "CR", "no text"],
)
def test_written_bytes_are_read_back(ws: PosixWorkspace, data: bytes) -> None:
    ws.write("deep/er/file name'", data)
    assert ws.read("deep/er/file name'") == data
    ws.write("deep/er/file name'", b"short")
    assert ws.read(f"{ws.root}/deep/er/file name'") == b"short"


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("many/")])
def test_file_with_unusual_name_is_read_and_written(ws: PosixWorkspace, name: str) -> None:
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


def test_too_long_name_is_refused(ws: PosixWorkspace) -> None:
    for operation in (lambda: ws.read("n" * 300), lambda: ws.write("n" * 300, b"")):
        with pytest.raises((UsageError, OSError)):
            operation()
    assert ws.read("README") == b"hello\n"


def test_write_keeps_mode(ws: PosixWorkspace) -> None:
    ws.write("run.sh", b"#!/bin/sh\necho new\n")
    assert check_output(ws, "./run.sh") == "new"


def test_large_file_is_written_and_read(ws: PosixWorkspace) -> None:
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
def test_path_outside_workspace_is_refused(ws: PosixWorkspace, path: str) -> None:
    ws.run("ln -s /etc etc; ln -s ../../nowhere/x nowhere-link")
    with pytest.raises((UsageError, FileNotFoundError, IsADirectoryError)):
        ws.read(path)
    with pytest.raises((UsageError, FileNotFoundError, IsADirectoryError)):
        ws.write(path, b"x")


def test_links_inside_workspace_are_followed(ws: PosixWorkspace) -> None:
    assert ws.read("link") == b"hello\n"
    assert ws.read("folder link/mod.py") == str(FILES["pkg/mod.py"]).encode()
    ws.write("link", b"through\n")
    assert ws.read("README") == b"through\n"
    assert changed(ws, ws.snapshot().tree) == {"README": "M"}, "the link is still a link"
    ws.write("dangling", b"made\n")
    assert ws.read("nowhere") == b"made\n"


@pytest.mark.parametrize(
    ("path", "error"),
    [("none", FileNotFoundError), ("none/at/all", FileNotFoundError), ("pkg", IsADirectoryError)],
)
def test_read_of_missing_file_or_folder_fails(ws: PosixWorkspace, path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ws.read(path)


@pytest.mark.parametrize(("path", "error"), [("pkg", IsADirectoryError), ("README/below", UsageError)])
def test_write_to_folder_or_below_file_fails(ws: PosixWorkspace, path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ws.write(path, b"")


@pytest.mark.parametrize("special", ["mkfifo there", "ln -s /dev/zero there", "ln -s /dev/stdin there"])
def test_file_that_would_block_is_refused(ws: PosixWorkspace, special: str) -> None:
    ws.run(special)
    for operation in (lambda: ws.read("there"), lambda: ws.write("there", b"x")):
        with pytest.raises((UsageError, FileNotFoundError)):
            operation()


def test_read_above_size_limit_is_refused(ws: PosixWorkspace) -> None:
    with pytest.raises(UsageError):
        ws.read("README", limit=5)
    assert ws.read("README", limit=6) == b"hello\n"
    ws.run("truncate -s 60000000 sparse")
    with pytest.raises(UsageError):
        ws.read("sparse")
    assert ws.read("image.png", limit=len(BINARY)) == BINARY


def test_read_without_permission_fails(ws: PosixWorkspace) -> None:
    if check_output(ws, "echo x > closed; chmod 000 closed; cat closed 2>/dev/null || :"):
        pytest.skip("root reads everything here")
    with pytest.raises(PermissionError):
        ws.read("closed")


def test_write_to_read_only_file_or_folder_fails(ws: PosixWorkspace) -> None:
    ws.run("chmod 444 README; mkdir ro; chmod 555 ro")
    if ws.run("echo x > ro/x").code == 0:
        pytest.skip("root writes everywhere here")
    for path in ("README", "ro/new"):
        with pytest.raises(PermissionError):
            ws.write(path, b"x")


def install_wrapper(folder: Path, program: str, commands: str) -> None:
    """Install a wrapper for `program` that first runs `commands`, with the last argument in `$last`."""
    folder.mkdir()
    (folder / program).write_text(f'#!/bin/sh\nfor last; do :; done\n{commands}\nexec {shutil.which(program)} "$@"\n')
    (folder / program).chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("commands", "error"),
    [
        ('rm "$last"', FileNotFoundError),
        ('rm "$last"; mkdir "$last"', IsADirectoryError),
        ('rm "$last"; mkfifo "$last"', UsageError),
    ],
)
def test_file_replaced_during_read_is_reported(
    make_repo: MakeRepo,
    open_ws: OpenWorkspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    commands: str,
    error: type[Exception],
) -> None:
    install_wrapper(tmp_path / "bin", "head", commands)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("aci.runtime.posix_workspace._PATIENCE", 1.0)
    ws = open_ws("local", make_repo({"README": "hello\n"}))
    with pytest.raises(error):
        ws.read("README")
    with pytest.raises(FileNotFoundError):
        ws.read("none")


@pytest.mark.slow
def test_file_replaced_by_pipe_before_write_is_refused(ws: PosixWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put = ControlShell.put

    def replace_then_put(control_shell: ControlShell, path: bytes, data: bytes, *more: float) -> CommandResult:
        ws.run("rm README; mkfifo README")
        return put(control_shell, path, data, *more)

    monkeypatch.setattr("aci.runtime.posix_workspace._PATIENCE", 1.0)
    monkeypatch.setattr(ControlShell, "put", replace_then_put)
    with pytest.raises(UsageError):
        ws.write("README", b"x")
    assert ws.read("pkg/mod.py")
