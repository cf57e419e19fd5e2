"""Descriptions of input and keys of a session, for help and documentation. Front ends bind the keys."""

from __future__ import annotations

TYPED = (
    ("words", "an issue, a question, what to do next; a GitHub issue's URL alone fetches the issue"),
    ("@path", "attaches a file's text, a folder's listing or a picture"),
    ("!command", "runs in the workspace"),
    ("/command", "one of the commands, or one of your own"),
)
KEYS = (
    ("enter", "send; during a turn: queue for afterwards"),
    ("ctrl+s", "send to the model at its next step"),
    ("escape", "interrupt the turn; enter on an empty prompt resumes it"),
    ("ctrl+j", "new line; alt-enter and shift-enter too"),
    ("tab", "complete a command, its argument, a path"),
    ("up", "earlier prompts; on an empty prompt, takes back the last queued one"),
    ("down", "later prompts"),
    ("ctrl+r", "search earlier prompts"),
    ("ctrl+g", "edit the prompt in $EDITOR"),
    ("shift+tab", "switch between build and plan"),
    ("ctrl+o", "open or close the last step on the screen"),
    ("ctrl+t", "open or close all steps"),
    ("pageup", "scroll up"),
    ("pagedown", "scroll down"),
    ("end", "on an empty prompt: jump to the end of the conversation and follow it"),
    ("ctrl+end", "the same, with any prompt"),
    ("ctrl+b", "fold the side panel"),
    ("f1", "help"),
    ("ctrl+l", "redraw the screen"),
    ("ctrl+c", "clear the prompt; twice on an empty one: quit"),
    ("ctrl+d", "quit, on an empty prompt"),
    ("ctrl+q", "quit"),
)
"""Keys by their names in Textual, with their effect in the session."""
SAME = {"alt+enter": "ctrl+j", "shift+enter": "ctrl+j"}
"""Aliases of keys; the description of the main key mentions them."""


def key_labels() -> list[tuple[str, str]]:
    """Return the keys by their names for display, such as `ctrl-b` and `esc`, with their effect."""
    return [(key.replace("escape", "esc").replace("+", "-"), what) for key, what in KEYS]
