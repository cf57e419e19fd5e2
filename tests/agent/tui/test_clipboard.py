"""Copying to the terminal's clipboard."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from textual.app import App

from agent.tui.clipboard import LARGEST, copy
from agent.tui.terminal_sequences import writer


def copied(sequence: str) -> str:
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\a")
    return base64.b64decode(sequence[7:-1]).decode()


def test_terminal_is_asked_to(tmp_path: Path) -> None:
    said: list[str] = []
    assert copy(said.append, "größe\nb\x1b[31m", tmp_path, {"SSH_CONNECTION": "x"}) == "Copied 2 lines."
    assert [copied(each) for each in said] == ["größe\nb"]
    assert copy(said.append, "x", tmp_path, {"SSH_CONNECTION": "x"}) == "Copied 1 character."


def test_nothing_is_not_copied(tmp_path: Path) -> None:
    said: list[str] = []
    assert copy(said.append, "\x1b[0m", tmp_path, {}) == "There is nothing to copy."
    assert said == []


def test_what_is_too_long_lies_in_file(tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "run"
    for text in ("x" * LARGEST + "y", "é" * LARGEST):
        told = copy(said.append, text, folder, {})
        assert told.endswith(f"It was written to {folder / 'copied.txt'}.")
        assert (folder / "copied.txt").read_text("utf-8") == text
    assert stat.S_IMODE((folder / "copied.txt").stat().st_mode) == 0o600
    assert said == []


def test_link_in_files_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("mine")
    (tmp_path / "copied.txt").symlink_to(target)
    copy(lambda _: None, "x" * (LARGEST + 1), tmp_path, {})
    assert target.read_text() == "mine"


def test_without_run_there_is_no_file() -> None:
    assert copy(lambda _: None, "x" * (LARGEST + 1), None, {}) == "74 kB is too much for a terminal's clipboard."


def test_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in copy(lambda _: None, "x" * (LARGEST + 1), tmp_path / "file", {})


@pytest.mark.parametrize("code", [0, 1])
def test_tmux_is_told_and_where_it_fails_its_terminal_is_asked(tmp_path: Path, code: int) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat > {tmp_path}/data\nexit {code}\n')
    tmux.chmod(0o755)
    said: list[str] = []
    environment = {"TMUX": "/tmp/x", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert copy(said.append, "words", tmp_path, environment) == "Copied 5 characters."
    assert (tmp_path / "args").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "data").read_text() == "words"
    assert said == ([] if code == 0 else ["\x1bPtmux;\x1b\x1b]52;c;d29yZHM=\a\x1b\\"])


def test_app_without_terminal_says_nothing() -> None:
    writer(App())("\a")
