"""Editing a prompt or a commit message in the user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from trajectories.errors import UsageError

DEFAULT = "vi"
UNCHANGED = "The prompt is as before."


def open_editor(app: App[Any], text: str, put: Callable[[str], object], show_hint: Callable[[str], object]) -> None:
    """Edit a text while the app is suspended, and call `put` with the saved text, or `show_hint` with a failure."""
    try:
        with app.suspend():
            edited = edit_text(text)
    except SuspendNotSupported:
        show_hint("An editor cannot be opened here.")
    except UsageError as error:
        show_hint(f"{error.message} {error.fix}")
    else:
        put(edited)


def edit_text(text: str) -> str:
    """Open the text in the user's editor ($VISUAL or $EDITOR) and return the saved text. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as folder:
        file = Path(folder, "prompt.md")
        file.write_text(text, "utf-8")
        try:
            code = subprocess.call([*shlex.split(named), str(file)])
        except (OSError, ValueError) as error:
            raise UsageError(f"The editor {named} cannot be started: {error}.", "Set EDITOR.") from error
        if code:
            raise UsageError(f"The editor {named} ended with exit code {code}.", UNCHANGED)
        try:
            return file.read_text("utf-8", "replace").rstrip("\n")
        except OSError as error:
            raise UsageError(f"The editor {named} left no text: {error.strerror}.", UNCHANGED) from error
