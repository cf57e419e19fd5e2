"""What can be typed and pressed in a session, in words: for help and documentation. Front ends bind the keys."""

from __future__ import annotations

TYPED = (
    ("words", "an issue, a question, what to do next; a GitHub issue's address alone fetches it"),
    ("@path", "brings along a file's text, a folder's listing, or a picture"),
    ("!command", "runs in the workspace"),
    ("/command", "one of the commands"),
)
KEYS = (
    ("Enter", "send; while it works, queue for afterwards"),
    ("ctrl-j, alt-enter, shift-enter", "new line"),
    ("ctrl-s", "tell it now, at its next step"),
    ("esc", "interrupt; Enter on an empty prompt goes on as it was"),
    ("tab", "complete a command, its argument, a path"),
    ("up, down", "earlier and later words; up on an empty prompt takes back what waits"),
    ("ctrl-r", "search earlier words"),
    ("shift-tab", "switch between build and plan"),
    ("ctrl-o, ctrl-t", "open or close a step, or all"),
    ("pageup, pagedown", "scroll"),
    ("ctrl-b", "fold the side panel"),
    ("ctrl-c", "empty the prompt; twice on an empty one: quit"),
    ("ctrl-d", "quit, on an empty prompt"),
    ("ctrl-l", "draw the screen anew"),
    ("f1", "help"),
)
