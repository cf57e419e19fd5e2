"""Copying text to the terminal's clipboard."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from textual.app import App

from extensions.interactive.tui import clipboard
from extensions.interactive.tui.clipboard import LARGEST, MAX_KEPT, copy, save_picture
from extensions.interactive.tui.terminal_sequences import writer
from trajectories.errors import UsageError


def clipboard_text(sequence: str) -> str:
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\a")
    return base64.b64decode(sequence[7:-1]).decode()


def test_copy_writes_clipboard_sequence(tmp_path: Path) -> None:
    written: list[str] = []
    assert copy(written.append, "größe\nb\x1b[31m", tmp_path, {"SSH_CONNECTION": "x"}) == "Copied 2 lines."
    assert [clipboard_text(each) for each in written] == ["größe\nb"]
    assert copy(written.append, "x", tmp_path, {"SSH_CONNECTION": "x"}) == "Copied 1 character."


def test_text_without_visible_characters_is_not_copied(tmp_path: Path) -> None:
    written: list[str] = []
    assert copy(written.append, "\x1b[0m", tmp_path, {}) == "There is nothing to copy."
    assert written == []


def test_text_too_long_for_clipboard_is_written_to_file(tmp_path: Path) -> None:
    written: list[str] = []
    folder = tmp_path / "run"
    for text in ("x" * LARGEST + "y", "é" * LARGEST):
        message = copy(written.append, text, folder, {})
        assert message.endswith(f"It was written to {folder / 'copied.txt'}.")
        assert (folder / "copied.txt").read_text("utf-8") == text
    assert stat.S_IMODE((folder / "copied.txt").stat().st_mode) == 0o600
    assert written == []


def test_symbolic_link_in_place_of_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("mine")
    (tmp_path / "copied.txt").symlink_to(target)
    copy(lambda _: None, "x" * (LARGEST + 1), tmp_path, {})
    assert target.read_text() == "mine"


def test_too_long_text_without_run_is_refused() -> None:
    assert copy(lambda _: None, "x" * (LARGEST + 1), None, {}) == "74 kB is too large for a terminal's clipboard."


def test_unwritable_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in copy(lambda _: None, "x" * (LARGEST + 1), tmp_path / "file", {})


@pytest.mark.parametrize("code", [0, 1])
def test_tmux_buffer_is_loaded_and_terminal_is_fallback(tmp_path: Path, code: int) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat > {tmp_path}/data\nexit {code}\n')
    tmux.chmod(0o755)
    written: list[str] = []
    environment = {"TMUX": "/tmp/x", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert copy(written.append, "words", tmp_path, environment) == "Copied 5 characters."
    assert (tmp_path / "args").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "data").read_text() == "words"
    assert written == ([] if code == 0 else ["\x1bPtmux;\x1b\x1b]52;c;d29yZHM=\a\x1b\\"])


def test_writer_of_app_without_terminal_writes_nothing() -> None:
    writer(App())("\a")


PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs that read the clipboard, which is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def add_program(programs: Path, name: str, script: str) -> dict[str, str]:
    """Add a program and return an environment in which only this folder's programs are found."""
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)
    return {"PATH": f"{programs}", "PICTURE": str(programs.parent / "picture")}


@pytest.mark.parametrize("name", ["wl-paste", "xclip", "pngpaste"])
def test_picture_of_clipboard_is_saved(tmp_path: Path, programs: Path, name: str) -> None:
    (tmp_path / "picture").write_bytes(PNG)
    environment = add_program(programs, name, '/bin/cat "$PICTURE"')
    file = save_picture(tmp_path / "state" / "pasted", environment)
    assert file.suffix == ".png"
    assert file.read_bytes() == PNG
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"text", "There is no PNG or JPEG picture in the clipboard."),
        (b"GIF89a" + bytes(40), "There is no PNG or JPEG picture in the clipboard."),
        (PNG + bytes(1000), "The picture has more than 1,000 bytes."),
    ],
)
def test_other_content_is_refused(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, why: str
) -> None:
    monkeypatch.setattr(clipboard, "LARGEST_PICTURE", 1000)
    (tmp_path / "picture").write_bytes(data)
    environment = add_program(programs, "wl-paste", '/bin/cat "$PICTURE"')
    with pytest.raises(UsageError, match=why):
        save_picture(tmp_path / "pasted", environment)
    assert not (tmp_path / "pasted").exists()


def test_program_that_fails_or_hangs_is_no_picture(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "PICTURE_PATIENCE", 0.1)
    environment = add_program(programs, "wl-paste", "exit 1")
    add_program(programs, "xclip", "/bin/sleep 1000 & wait")
    with pytest.raises(UsageError, match="There is no PNG or JPEG picture"):
        save_picture(tmp_path / "pasted", environment)


def test_without_a_program_the_user_is_told(tmp_path: Path, programs: Path) -> None:
    with pytest.raises(UsageError, match="No program is installed that reads pictures"):
        save_picture(tmp_path / "pasted", {"PATH": str(programs)})


def test_old_pictures_are_removed(tmp_path: Path, programs: Path) -> None:
    environment = add_program(programs, "wl-paste", '/bin/cat "$PICTURE"')
    for number in range(MAX_KEPT + 1):
        (tmp_path / "picture").write_bytes(PNG + bytes([number]))
        os.utime(save_picture(tmp_path / "pasted", environment), (number, number))
    kept = {file.read_bytes()[-1] for file in (tmp_path / "pasted").iterdir()}
    assert kept == set(range(1, MAX_KEPT + 1))
