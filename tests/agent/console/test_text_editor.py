"""Editing a text in the user's editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.console.text_editor import edit_text
from trajectories.errors import UsageError


def editor(folder: Path, script: str) -> str:
    path = folder / "my editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"'{path}' --wait"


def test_saved_text_is_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, 'echo "and more" >> "$2"'))
    assert edit_text("First line\n") == "First line\nand more"


@pytest.mark.parametrize("script", ["exit 1", None])
def test_failing_editor_keeps_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, script) if script else "/nonexistent/editor")
    with pytest.raises(UsageError, match=r"The editor .* (ended with exit code 1|cannot be started)"):
        edit_text("text")


def test_editor_that_deletes_the_file_keeps_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, 'rm "$2"'))
    with pytest.raises(UsageError, match=r"The editor .* left no text: No such file or directory\.") as caught:
        edit_text("text")
    assert caught.value.fix == "The prompt is as before."
