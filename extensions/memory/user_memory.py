"""The user's memory: facts about a project, or about all of the user's work, in Markdown files that the user can edit.

The files are in the user's state folder, one for each repository and one for all of them; none is read from a
repository. Memory files that a user owns and edits follow Claude Code's and Gemini CLI's, but no model writes
them.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aci.observation.output_text import cut
from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import one_line
from agent.run_state.checkouts import MEMORY
from trajectories.errors import ConfigError, TryLater, UsageError
from trajectories.file_limits import open_regular
from trajectories.git_store.git_commands import exclusive
from trajectories.journal import write_durably

ALL = "all-projects"
LARGEST, LONGEST = 64_000, 500
"""Maximum size of a file in bytes, and of a fact in characters."""
WAIT = 10.0
"""Seconds to wait for another process that writes the file."""
HEADER = """\
# {title}

Facts for swe-agent. Each line that begins with `- ` is one; edit or delete lines as you like. The date and the source
in brackets are optional. Other lines are not read.

"""
ENTRY = re.compile(r"^[-*] .*(?:\n[ \t]+\S.*)*\n?", re.MULTILINE)
PARTS = re.compile(r"[-*] +(?:(?P<date>\d{4}-\d\d-\d\d) *(?:\((?P<source>[^()]*)\))? *: *)?(?P<text>.*)")
BY_HAND = "written by hand"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact, when it was stated (`2026-11-27`, "" if the user wrote no date) and where."""

    text: str
    date: str = ""
    source: str = BY_HAND


class MemoryFile:
    """The facts in one file, which need not exist. Processes may share it."""

    def __init__(self, state: Path, name: str = ALL, title: str = "All projects") -> None:
        self.path = state / MEMORY / f"{name}.md"
        self.title = title
        self.is_for_all = name == ALL

    def facts(self) -> list[Fact]:
        """Return the facts, in the order of the file. Raises ConfigError if the file cannot be used."""
        return [fact for match in ENTRY.finditer(self.text()) if (fact := _fact(match[0])).text]

    def text(self) -> str:
        """Return the content of the file, "" if there is none. Raises ConfigError if it cannot be used: it is a link,
        is not the user's own, can be written by others, is too large, or is not UTF-8."""
        try:
            with open_regular(self.path, inside=self.path.parent) as opened:
                status = os.fstat(opened.fileno())
                data = opened.read(LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            why = "it is a link" if self.path.is_symlink() else error.strerror or str(error)
            raise ConfigError(f"{self.path} is not used: {why}.", "Replace it by a file of your own.") from None
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigError(
                f"{self.path} is not used: others can write it.", f"chmod 600 {shlex.quote(str(self.path))}"
            )
        if len(data) > LARGEST:
            raise ConfigError(f"{self.path} is not used: it has more than {LARGEST:,} bytes.", "Remove old facts.")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{self.path} is not used: it is not UTF-8.", "Save it as UTF-8.") from None

    def add(self, text: str, source: str, date: str) -> Fact:
        """Append a fact, with keys and tokens masked; one that is known already is not written again.

        Raises UsageError if it is empty or too long, ConfigError if the file cannot be used or written, and TryLater if
        another process keeps it locked.
        """
        fact = Fact(mask_secrets(one_line(text)), date, re.sub(r"[()]", "", one_line(source)))
        if not fact.text:
            raise UsageError("There is no text to remember.", "Write `/remember TEXT` or `swe-agent memory add TEXT`.")
        if len(fact.text) > LONGEST:
            raise UsageError(f"A fact has at most {LONGEST} characters, and this has {len(fact.text)}.", "Shorten it.")
        with self._locked():
            before = self.text()
            if fact.text not in [_fact(match[0]).text for match in ENTRY.finditer(before)]:
                head = f"{before.rstrip()}\n" if before.strip() else HEADER.format(title=self.title)
                self._write(f"{head}- {date} ({fact.source}): {fact.text}\n")
        return fact

    def forget(self, number: int) -> Fact:
        """Delete a fact by its number in the file, from 1. Raises UsageError if there is no such fact, and as `add`
        does."""
        with self._locked():
            before = self.text()
            found = [match for match in ENTRY.finditer(before) if _fact(match[0]).text]
            if not 1 <= number <= len(found):
                raise UsageError(f"{self.path.name} has no fact {number}.", "`swe-agent memory list` numbers them.")
            match = found[number - 1]
            self._write(before[: match.start()] + before[match.end() :])
        return _fact(match[0])

    def replace(self, before: str, after: str) -> None:
        """Write the text that the user edited, if the file still has the text `before`. Raises UsageError if not, and
        as `add` does."""
        with self._locked():
            if self.text() != before:
                raise UsageError(f"{self.path} was changed while you edited it.", "Edit it again; nothing was saved.")
            self._write(after)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        busy = TryLater(f"{self.path} is being written by another process.", "Try again.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"{self.path.parent} cannot be created: {error.strerror}.", "") from None
        with exclusive(self.path.with_suffix(".lock"), WAIT, busy):
            yield

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        if len(data) > LARGEST:
            raise UsageError(f"{self.path} would have more than {LARGEST:,} bytes.", "Forget old facts first.")
        try:
            write_durably(self.path, data)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}.", "Check its permissions.") from None


def _fact(entry: str) -> Fact:
    """Return the fact in an entry; its text is cut if the user wrote a longer one."""
    found = PARTS.fullmatch(one_line(entry))
    if found is None:  # a dash without text
        return Fact("")
    text, source = cut(found["text"].strip(), LONGEST), (found["source"] or "").strip()
    return Fact(text, found["date"] or "", source or BY_HAND)
