"""Copying text to the terminal's clipboard."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from textual.app import App

from extensions.interactive.tui.clipboard import LARGEST, copy
from extensions.interactive.tui.terminal_sequences import writer


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
