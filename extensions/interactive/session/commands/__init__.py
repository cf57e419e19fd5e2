"""The commands of a session, one module each, found by name.

`run(session, words)` of a module runs the command, the first line of the module docstring is its help, and `USAGE`
shows its arguments. A command with `NOW` only reads, or only changes settings of the next turn, so it runs at once in
the caller's thread, even during a turn. If its group is "changes", it waits for earlier commands of that group.
`ONLY_FOR_LATER` of a command that only affects later requests or the screen is "always", or "with words" if it does
something else without arguments. `IN_EDITORS` of a command that an editor may send (docs/acp.md) is "always", or
"alone" if it may only be sent without arguments. Commands that raise limits, choose a model, switch to another run,
write files outside the repository or need our screen have none.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from agent.config.close_names import did_you_mean
from trajectories.errors import UsageError
from trajectories.plugins import names

PACKAGE = "extensions.interactive.session.commands"
OTHERS = "changes"
GROUPS = (
    ("what", "Look and try"),
    (OTHERS, "Changes"),
    ("how", "How it works"),
    ("session", "Session"),
)
"""Headings in the help for each `GROUP` of commands; the default group is "changes"."""


def is_command(words: str) -> bool:
    """Return whether words that start with / are a command, rather than a path as in `/usr/bin/x fails`."""
    name = words[1:].partition(" ")[0]
    return "/" not in name and "." not in name and "\n" not in name


def is_change(words: str) -> bool:
    """Return whether words are a command that changes the user's or the session's files."""
    name = words[1:].partition(" ")[0]
    return words.startswith("/") and name in names(PACKAGE) and _group(name) == OTHERS


def runs_at_once(name: str, changing: bool) -> bool:
    """Return whether a command runs at once; `changing` is whether a change command is queued or running."""
    return bool(getattr(find(name), "NOW", False)) and not (changing and _group(name) == OTHERS)


def check_single(words: str) -> None:
    """Raise UsageError if the only request of a session is a command that only affects later requests."""
    name, _, rest = words.strip()[1:].partition(" ")
    if not words.strip().startswith("/") or name not in names(PACKAGE):
        return
    only = getattr(find(name), "ONLY_FOR_LATER", "")
    if only == "always" or (only == "with words" and rest.strip()):
        raise UsageError(f"/{name} only affects later requests, and --print has none.", "Use it in a session.")


def check_in_editor(words: str) -> None:
    """Raise UsageError if a prompt from an editor is a command that only a user of our own interface may run."""
    name, _, rest = words.strip()[1:].partition(" ")
    if not words.strip().startswith("/") or name not in names(PACKAGE):
        return
    allowed = getattr(find(name), "IN_EDITORS", "")
    if not allowed or (allowed == "alone" and rest.strip()):
        what = f"/{name} with arguments" if allowed else f"/{name}"
        raise UsageError(f"{what} is not available in an editor.", "Run `swe-agent` in a terminal for it.")


def summaries_in_editors() -> list[tuple[str, str, str]]:
    """Return the name, arguments and help of each command that an editor may send."""
    found = [(name, find(name)) for name in sorted(names(PACKAGE))]
    return [
        (name, "" if allowed == "alone" else getattr(command, "USAGE", ""), (command.__doc__ or "").partition("\n")[0])
        for name, command in found
        if (allowed := getattr(command, "IN_EDITORS", ""))
    ]


def find(name: str, custom: Iterable[str] = ()) -> Any:
    """Return the module of a command. Raises UsageError for an unknown command, which suggests a similar one, also of
    the `custom` commands."""
    known = names(PACKAGE)
    if name not in known:
        question = did_you_mean(f"/{name}", [f"/{each}" for each in (*known, *custom)])
        raise UsageError(f"There is no command /{name}. {question}".strip(), "`/help` lists all commands.")
    return import_module(known[name])


def summaries() -> list[tuple[str, str]]:
    """Return each command with its arguments, and its help."""
    found = [(name, find(name)) for name in sorted(names(PACKAGE))]
    return [
        (f"/{name} {getattr(command, 'USAGE', '')}".strip(), (command.__doc__ or "").partition("\n")[0])
        for name, command in found
    ]


def grouped_summaries() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the summaries of the commands, grouped by heading."""
    members = {title: [name for name in sorted(names(PACKAGE)) if _group(name) == group] for group, title in GROUPS}
    known = dict(zip(sorted(names(PACKAGE)), summaries(), strict=True))
    return [(title, [known[name] for name in found]) for title, found in members.items() if found]


def _group(name: str) -> str:
    return str(getattr(find(name), "GROUP", OTHERS))
