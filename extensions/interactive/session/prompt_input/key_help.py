"""Descriptions of input and keys of a session, for help and documentation. Front ends bind the keys."""

from __future__ import annotations

TYPED = (
    ("words", "an issue, a question or an instruction; the URL of an issue alone, or `#300`, fetches the issue"),
    ("@path", "attaches a file's text, a folder's listing or a picture"),
    ("!command", "runs the command in the workspace"),
    ("/command", "runs a built-in command or a custom command"),
)
KEYS = (
    ("enter", "send; during a turn: queue until the turn ends"),
    ("ctrl+s", "send to the model at its next step"),
    ("escape", "interrupt the turn; enter on an empty prompt resumes it"),
    ("ctrl+j", "new line; alt-enter and shift-enter too"),
    ("tab", "complete a command, its argument or a path"),
    ("up", "earlier prompts; on an empty prompt: take back the last queued prompt"),
    ("down", "later prompts"),
    ("ctrl+r", "search earlier prompts"),
    ("ctrl+g", "edit the prompt in $EDITOR"),
    ("shift+tab", "switch between build and plan"),
    ("ctrl+o", "open or close the last step on the screen"),
    ("ctrl+t", "open or close all steps"),
    ("pageup", "scroll up"),
    ("pagedown", "scroll down"),
    ("end", "on an empty prompt: jump to the end of the conversation and follow it"),
    ("ctrl+end", "jump to the end of the conversation and follow it, with any prompt"),
    ("ctrl+b", "fold the side panel"),
    ("f1", "help"),
    ("ctrl+l", "redraw the screen"),
    ("ctrl+c", "clear the prompt; on an empty prompt, twice: quit"),
    ("ctrl+d", "on an empty prompt: quit"),
    ("ctrl+q", "quit"),
)
"""Keys by their names in Textual, with their effect in the session."""
SAME = {"alt+enter": "ctrl+j", "shift+enter": "ctrl+j"}
"""Aliases of keys; the description of the main key mentions them."""


def key_labels() -> list[tuple[str, str]]:
    """Return the keys by their names for display, such as `ctrl-b` and `esc`, with their effect."""
    return [(key.replace("escape", "esc").replace("+", "-"), what) for key, what in KEYS]
