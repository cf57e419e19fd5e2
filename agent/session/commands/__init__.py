"""Commands of a session: one file each, found by its name.

`run(session, words)` does it, the first line of the docstring is its help, `USAGE` what stands behind its name. `NOW`
says that it may run while a turn is under way, in the caller's thread: it only looks, or only changes what the next
turn begins with. One that looks at changes comes after those that the user asked for before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.session.trouble import told
from trajectories.errors import UsageError
from trajectories.plugins import names

if TYPE_CHECKING:
    from agent.session.session import Session

PACKAGE = "agent.session.commands"
OTHERS = "changes"
GROUPS = (
    ("what", "Look and try"),
    (OTHERS, "Changes"),
    ("how", "How it works"),
    ("session", "Session"),
)
"""Headings of the help, by the name `GROUP` in a command's module; without one it is about changes."""


def run(session: Session, name: str, words: str) -> None:
    """Do `/name words`, now or when what is under way has ended."""
    try:
        command = find(name)
    except UsageError as error:
        session.hear(told(error))
        return
    if not getattr(command, "NOW", False) or (_group(name) == OTHERS and session.changing):
        session.later(f"/{name} {words}".strip(), lambda: command.run(session, words))
        return
    try:
        command.run(session, words)
    except Exception as error:  # noqa: BLE001 - a session outlives what fails in it
        session.hear(told(error))


def is_command(words: str) -> bool:
    """Whether words that begin with / are meant for a command, and not a path (`/usr/bin/x fails`)."""
    name = words[1:].partition(" ")[0]
    return "/" not in name and "." not in name and "\n" not in name


def is_change(words: str) -> bool:
    """Whether words that wait are a command that changes something of the user's or of the session's."""
    name = words[1:].partition(" ")[0]
    return words.startswith("/") and name in names(PACKAGE) and _group(name) == OTHERS


def find(name: str) -> Any:
    """The module of a command. Raises UsageError."""
    known = names(PACKAGE)
    if name not in known:
        raise UsageError(f"There is no command /{name}.", "`/help` lists them.")
    return import_module(known[name])


def summaries() -> list[tuple[str, str]]:
    """Each command as it is written, with what it does."""
    found = [(name, find(name)) for name in sorted(names(PACKAGE))]
    return [
        (f"/{name} {getattr(command, 'USAGE', '')}".strip(), (command.__doc__ or "").partition("\n")[0])
        for name, command in found
    ]


def grouped() -> list[tuple[str, list[tuple[str, str]]]]:
    """The same under headings."""
    members = {title: [name for name in sorted(names(PACKAGE)) if _group(name) == group] for group, title in GROUPS}
    known = dict(zip(sorted(names(PACKAGE)), summaries(), strict=True))
    return [(title, [known[name] for name in found]) for title, found in members.items() if found]


def _group(name: str) -> str:
    return str(getattr(find(name), "GROUP", OTHERS))
