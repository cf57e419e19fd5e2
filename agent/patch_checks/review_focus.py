"""Places and facts that a reviewer should look at: hunks of a diff, and facts of a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trajectories.facts import FactKind
from trajectories.migrations import facts_of
from trajectories.unified_diff import HunkHeader, split_hunks

ROUTINE: frozenset[FactKind] = frozenset({"suite", "partial", "extent", "untested", "reproduction", "environment"})
"""Kinds of facts that are left out: facts on the extent of the proof, which the proof's sentences cover, and facts on
copies of the package that are installed in swe-agent's environment, which do not concern a reviewer."""
_FILE = re.compile(r"(?m)^diff --git (?:a/.*|\"a/.*\") (?:b/(.*)|\"b/(.*)\")$")
_NAME = re.compile(r"\b(?:def|class|func|fn|function|interface|struct|impl|module)\s+(?:\([^()]*\)\s*)?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Hunk:
    """A hunk of a diff: its first changed line in the new file, the number of changed lines, and the enclosing
    symbol."""

    path: str
    line: int
    size: int
    within: str
    new_file: bool


def reviewer_notes(verdict: Mapping[str, Any]) -> list[str]:
    """Return the words of the facts of a verdict, as in `fix --json`, that concern a reviewer."""
    return [fact.text for fact in facts_of(verdict) if fact.kind not in ROUTINE]


def hunks(diff: str) -> Iterator[Hunk]:
    """Yield the hunks of a git diff."""
    starts = [*_FILE.finditer(diff)]
    for number, match in enumerate(starts):
        if not (path := match[1] or match[2]):
            continue
        end = starts[number + 1].start() if number + 1 < len(starts) else len(diff)
        head, found = split_hunks(diff[match.end() : end])
        for header, text in found:
            yield _hunk(path, header, text.split("\n")[1:], "\nnew file mode " in head)


def _hunk(path: str, header: HunkHeader, lines: list[str], new_file: bool) -> Hunk:
    first, line, names = 0, header.new_start, _NAME.findall(header.section)
    for text in lines:
        if text[:1] in ("+", "-"):
            first = first or line
        elif not first:
            names += _NAME.findall(text)
        line += text[:1] in ("+", " ")
    size = sum(text[:1] in ("+", "-") for text in lines)
    return Hunk(path, first or header.new_start, size, "" if new_file or not names else names[-1], new_file)
