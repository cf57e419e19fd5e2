"""The command lines of README.md and of the pages in docs/."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("**/*.md") if page.parent.name != "reference"),
)
"""All pages but the generated ones."""
SHELLS = frozenset({"", "text", "sh", "bash", "console"})
"""Languages of fenced blocks that can hold command lines for a terminal."""
FENCE = re.compile(r"\s*(?:```|~~~)(\w*)")
RECIPE = re.compile(r"<!-- recipe: ")
"""A comment before a block that the test of its own page runs."""
CALL = re.compile(r"(?:cd \S+ && |[^|#`]+ \| |\w+=\S+ )?swe-agent(?: |$)")
"""A call, also after a change of the folder, a command that writes its input, or a variable."""
INLINE = re.compile(r"`(swe-agent [^`]+)`")

NUMBER = re.compile(r"\bN\b")


@dataclass(frozen=True)
class CommandLine:
    """A command line, with the lines that it continues on, as a user would copy it."""

    page: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.number}"

    @property
    def words(self) -> list[str]:
        """The words of the first command, without comment, redirections and the commands that read its output."""
        words = shlex.split(self.text[self.text.index("swe-agent") :], comments=True)
        ends = (at for at, word in enumerate(words) if re.match(r"[|;&<>]|2>", word))
        return words[: next(ends, len(words))]


def page_names() -> list[str]:
    """Return the paths of the pages, relative to the repository."""
    return [page.relative_to(ROOT).as_posix() for page in PAGES]


def command_lines(page: str) -> list[CommandLine]:
    """Return the calls of `swe-agent` in the blocks of a page, from top to bottom."""
    found = []
    for number, lines in _blocks((ROOT / page).read_text("utf-8").split("\n")):
        at = 0
        while at < len(lines):
            text, first = lines[at].strip().removeprefix("$ "), at
            at += 1
            if not CALL.match(text):
                continue
            while at < len(lines) and _continues(text):
                text, at = f"{text}\n{lines[at]}", at + 1
            found.append(CommandLine(page, number + first, text))
    return found


def inline_commands(page: str) -> list[CommandLine]:
    """Return the calls of `swe-agent` in the sentences of a page."""
    text = (ROOT / page).read_text("utf-8")
    spans = (
        (text.count("\n", 0, match.start()) + 1, NUMBER.sub("1", " ".join(match[1].split())))
        for match in INLINE.finditer(text)
    )
    return [CommandLine(page, number, command) for number, command in spans]


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each fenced block for a shell and each indented block, with the number of its first line."""
    fence, start, before = None, 0, ""
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if fence is None and match:
            fence, start = ("recipe" if RECIPE.match(before) else match[1]), number + 1
        elif match:
            if fence in SHELLS:
                yield start, lines[start - 1 : number - 1]
            fence, start = None, 0
        elif fence is None and line.startswith("    "):
            start = start or number
        elif fence is None and start and line:
            yield start, lines[start - 1 : number - 1]
            start = 0
        before = line or before
    if start:
        yield start, lines[start - 1 :]


def _continues(text: str) -> bool:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # an open quote
        return True
    return text.endswith("\\") or words[-1] == "|"
