"""Editing a prompt or a commit message in the user's editor while the screen is suspended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App, SuspendNotSupported

from agent.console.text_editor import edit_text
from trajectories.errors import UsageError


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
