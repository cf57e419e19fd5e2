"""Descriptions of input and keys of a session, for help and documentation. Front ends bind the keys."""

from __future__ import annotations

TYPED = (
    ("words", "an issue, a question, what to do next; a GitHub issue's URL alone fetches the issue"),
    ("@path", "attaches a file's text, a folder's listing or a picture"),
    ("!command", "runs in the workspace"),
    ("/command", "one of the commands, or one of your own"),
)
KEYS = (
    ("Enter", "send; during a turn, queue for afterwards"),
    ("ctrl-j, alt-enter, shift-enter", "new line"),
    ("ctrl-s", "send to the model at its next step"),
    ("esc", "interrupt; Enter on an empty prompt resumes"),
    ("tab", "complete a command, its argument, a path"),
    ("up, down", "earlier and later prompts; up on an empty prompt takes back the last queued one"),
    ("ctrl-r", "search earlier prompts"),
    ("ctrl-g", "edit the prompt in $EDITOR"),
    ("shift-tab", "switch between build and plan"),
    ("ctrl-o, ctrl-t", "open or close a step, or all"),
    ("pageup, pagedown", "scroll"),
    ("ctrl-b", "fold the side panel"),
    ("ctrl-c", "clear the prompt; twice on an empty one: quit"),
    ("ctrl-d", "quit, on an empty prompt"),
    ("ctrl-l", "redraw the screen"),
    ("f1", "help"),
)
