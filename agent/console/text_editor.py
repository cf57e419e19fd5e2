"""Editing a text in the user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from trajectories.errors import UsageError
from trajectories.temporary_folders import temporary_folder

DEFAULT = "vi"
UNCHANGED = "The prompt is as before."


def edit_text(text: str) -> str:
    """Open the text in the user's editor ($VISUAL or $EDITOR) and return the saved text. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT
    with temporary_folder() as folder:
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
