"""Parsers of answers in text: paths, and edits as search/replace blocks.

The format of the blocks is Aider's, which Agentless (arXiv 2407.01489) also uses for patches.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from trajectories.records import Action

SEARCH, MIDDLE, REPLACE = (re.compile(mark) for mark in (r"<{7} ?SEARCH\s*", r"={7}\s*", r">{7} ?REPLACE\s*"))
FENCE = re.compile(r"`{3,}[\w+#.-]*\s*")
NAMED = re.compile(r"\s*(?:[-*]|\d+[.)])?\s*`?(?:\./)?([^`\s]+)")
MOST = 20
"""Maximum number of edits that are taken from one answer."""


def lines_of(text: str) -> list[str]:
    """Split a text into lines, only at newlines."""
    return text.replace("\r\n", "\n").split("\n")


def parse_edits(said: str) -> tuple[Action, ...]:
    """Return the search/replace blocks of an answer as actions of the tool `edit`; incomplete blocks are ignored."""
    found: list[Action] = []
    path = ""
    old: list[str] | None = None
    new: list[str] | None = None
    for line in lines_of(said):
        if new is not None and old is not None:
            if REPLACE.fullmatch(line):
                found.append(Action("edit", {"path": path, "old": "\n".join(old), "new": "\n".join(new)}))
                old = new = None
            else:
                new.append(line)
        elif old is not None:
            if MIDDLE.fullmatch(line):
                new = []
            else:
                old.append(line)
        elif SEARCH.fullmatch(line):
            old = []
        elif (name := path_of(line)) and not FENCE.fullmatch(line):
            path = name
    return tuple(one for one in found if one.arguments["path"])[:MOST]


def parse_names(said: str, known: Collection[str], most: int) -> list[str]:
    """Return the known names that an answer lists, each at the start of a line, in the answer's order."""
    words = (match[1].rstrip(",;") for line in lines_of(said) if (match := NAMED.match(line)))
    return [word for word in dict.fromkeys(words) if word in known][:most]


def path_of(line: str) -> str:
    """Return the path that a line consists of; "" for other lines."""
    words = re.sub(r"(?i)^\W*(?:file|path):", "", line.strip()).strip("#*`: ").split()
    return (
        words[0].strip("`") if len(words) == 1 and re.fullmatch(r"[\w./+@()\[\]$~-]+\.\w+", words[0].strip("`")) else ""
    )
