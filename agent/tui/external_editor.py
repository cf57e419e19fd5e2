"""Editing the prompt in the user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App, SuspendNotSupported

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.tui.widgets.prompt import Prompt

DEFAULT = "vi"


def edit_prompt(app: App[Any], prompt: Prompt) -> None:
    """Edit the text of the prompt; a failure is shown as a hint."""
    try:
        with app.suspend():
            text = edit_text(prompt.entry.words)
    except SuspendNotSupported:
        prompt.show_hint("An editor cannot be opened here.")
    except UsageError as error:
        prompt.show_hint(f"{error.message} {error.fix}")
    else:
        prompt.put(text)


def edit_text(text: str) -> str:
    """Open the text in the user's editor ($VISUAL or $EDITOR) and return the saved text. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as folder:
        file = Path(folder, "prompt.md")
        file.write_text(text, "utf-8")
        try:
            code = subprocess.call([*shlex.split(named), str(file)])
            edited = file.read_text("utf-8", "replace")
        except (OSError, ValueError) as error:
            raise UsageError(f"The editor {named} cannot be started: {error}.", "Set EDITOR.") from error
    if code:
        raise UsageError(f"The editor {named} ended with exit code {code}.", "The prompt is as before.")
    return edited.rstrip("\n")
