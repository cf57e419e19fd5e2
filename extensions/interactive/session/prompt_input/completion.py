"""Completion of the word at the cursor: a command, its argument, or a path after `@`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extensions.interactive.session import commands
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

MOST = 50
AT_PATH = re.compile(r"(?<!\S)@(\"[^\"\n]*|\S*)$")


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion: `text` replaces the input from `start` to the cursor; `help` describes the completion."""

    text: str
    start: int
    help: str = ""


class Completer:
    """Completes the input at every key press; slow lookups therefore run beforehand in a thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own: list[tuple[str, bool, str]] | None = None
        """The custom commands, which are read when the list of commands opens; None while it is closed."""
        session.paths.like("", 0)

    def __call__(self, text: str, cursor: int) -> list[Completion]:
        """Return completions, the likeliest first."""
        before = text[:cursor]
        if match := AT_PATH.search(before):
            return self._at(match[1].strip('"'), match.start())
        if not before.startswith("/") or "\n" in before:
            self._own = None
            return []
        name, space, rest = before[1:].partition(" ")
        return self._arguments(name, rest, len(name) + 2) if space else self._commands(name)

    def _at(self, part: str, start: int) -> list[Completion]:
        found = self._session.paths.like(part, MOST)
        return [Completion(f'@"{path}"' if re.search(r"\s", path) else f"@{path}", start) for path in found]

    def _arguments(self, name: str, rest: str, start: int) -> list[Completion]:
        try:
            choices: Callable[[Session, str], Sequence[str | tuple[str, str]]] = commands.find(name).completions
            found = choices(self._session, rest)
        except (SweAgentError, AttributeError):
            return []
        pairs = [each if isinstance(each, tuple) else (each, "") for each in found]
        wanted = rest.lower()
        chosen = [pair for pair in pairs if pair[0].lower().startswith(wanted)]
        chosen += [pair for pair in pairs if wanted in pair[0].lower() and pair not in chosen]
        return [Completion(text, start, help) for text, help in chosen[:MOST] if text != rest]

    def _commands(self, name: str) -> list[Completion]:
        known = [(usage.partition(" ")[0], " " in usage, what) for usage, what in commands.summaries()]
        if self._own is None or not name:
            own = self._session.custom_commands
            self._own = [(f"/{each}", True, command.summary) for each, command in own.items()]
        known += self._own
        first = [each for each in known if each[0].startswith(f"/{name.lower()}")]
        first += [each for each in known if name and name.lower() in each[0] and each not in first]
        return [Completion(f"{usage} " if takes else usage, 0, what) for usage, takes, what in first]
