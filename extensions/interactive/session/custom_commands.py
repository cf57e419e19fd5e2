"""Commands that the user or the repository defines as Markdown files. Their text is put into the prompt, not sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aci.observation.untrusted_text import clean_text
from agent.config.user_file import user_file
from extensions.interactive.session import commands
from trajectories.file_limits import open_regular
from trajectories.plugins import names

REPOSITORY_FOLDER = ".swe-agent/commands"
ARGUMENTS = "$ARGUMENTS"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MOST_BYTES, _MOST_LINES, _MOST_FILES = 3_500, 50, 100
"""Limits within which the prompt shows a text in full."""

_SPECIAL = ("!", "/", "@")
"""Beginnings of a prompt that is not a request to the model; the text of a command cannot have one."""


@dataclass(frozen=True, slots=True)
class CustomCommand:
    """A command with its text, and the folder that defines it, for display."""

    name: str
    text: str
    source: str

    @property
    def summary(self) -> str:
        """The first line of the text, and where it is from."""
        first = next((line.strip("# ") for line in self.text.splitlines() if line.strip()), "")
        return f"{first[:80]} ({self.source})"

    def prompt(self, words: str) -> str:
        """Return the text with the words that the user typed after the command; nothing else is expanded."""
        if ARGUMENTS in self.text:
            return self.text.replace(ARGUMENTS, words)
        return f"{self.text}\n\n{words}" if words else self.text


def find_custom_commands(root: Path) -> dict[str, CustomCommand]:
    """Return the commands of the user's configuration, and those of the repository in the folder `root`.

    A built-in command is never replaced, and the user's commands precede the repository's.
    """
    found: dict[str, CustomCommand] = {}
    for command in (
        *_read(user_file().parent / "commands", "your configuration", None),
        *_read(root / REPOSITORY_FOLDER, REPOSITORY_FOLDER, root),
    ):
        found.setdefault(command.name, command)
    return {name: command for name, command in found.items() if name not in names(commands.PACKAGE)}


def _read(folder: Path, source: str, inside: Path | None) -> Iterator[CustomCommand]:
    for file in sorted(folder.glob("*.md"))[:_MOST_FILES]:
        if not _NAME.fullmatch(file.stem):
            continue
        with suppress(OSError), open_regular(file, inside=inside) as opened:
            text = clean_text(opened.read(_MOST_BYTES + 1)).strip()
            if text and not text.startswith(_SPECIAL) and len(text) <= _MOST_BYTES and text.count("\n") < _MOST_LINES:
                yield CustomCommand(file.stem, text, source)
