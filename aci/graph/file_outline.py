"""The outline of a long file: its first lines, its definitions, and the definitions whose names were mentioned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aci.observation.output_text import CAPS, cut_lines, number_lines
from aci.repository.python_source import Definition, definitions

if TYPE_CHECKING:
    from aci.graph.outline import Symbol

PYTHON = (".py", ".pyi", ".pyx")
ROOM = CAPS["view"] - 200
OUTLINE_ROOM = 4_000
HEAD_LINES = 40
LONGEST_LINE = 500
_NAME = re.compile(r"[A-Za-z_]\w+")


def names_in(*texts: str) -> frozenset[str]:
    """Return all words of the texts that may be names of definitions."""
    return frozenset(word for text in texts for word in _NAME.findall(text))


def find_definitions(path: str, text: str) -> list[Definition]:
    """Return the definitions of a file; empty if its language has no grammar here."""
    if path.endswith(PYTHON):
        return definitions(text)
    return [Definition(one.name, one.kind, one.line, one.end, one.header) for one in parse_symbols(path, text)]


def parse_symbols(path: str, text: str) -> tuple[Symbol, ...]:
    """Return the definitions of a file as the code graph has them; empty if its language has no grammar here."""
    from aci.graph.file_selection import language_of, unreadable_reason
    from aci.graph.parser import load_language

    language, data = language_of(path), text.encode("utf-8", "replace")
    if not language or unreadable_reason(data):
        return ()
    return load_language(language).parse(data).outline.symbols


def fits(lines: Sequence[str]) -> bool:
    """Return whether all of the lines can be shown at once."""
    return count_fitting(lines) == len(lines)


def count_fitting(lines: Sequence[str], room: int = ROOM) -> int:
    """Return how many of the lines fit, at least 1."""
    for count, line in enumerate(lines):
        room -= min(len(line), LONGEST_LINE) + 7
        if room < 0:
            return max(count, 1)
    return len(lines)


def numbered(lines: Sequence[str], first: int) -> str:
    """Return the lines with their numbers, which start at `first`."""
    return number_lines((cut_lines(line, LONGEST_LINE) for line in lines), first)


def outline(
    path: str,
    lines: Sequence[str],
    known: Sequence[Definition],
    mentioned: frozenset[str],
    inside: Definition | None = None,
) -> str:
    """Return the first lines of a long file or definition, its outline, and the definitions mentioned so far.

    Without known definitions, as many lines as fit are returned.
    """
    if not known:
        count = count_fitting(lines)
        more = f"\n… continues at start={count + 1}" if count < len(lines) else ""
        return f"{path}, lines 1-{count} of {len(lines)}\n{numbered(lines[:count], 1)}{more}"
    first, last = (inside.line, inside.end) if inside else (1, len(lines))
    head = lines[first - 1 : min(first - 1 + HEAD_LINES, last)]
    count = count_fitting(head, ROOM - OUTLINE_ROOM)
    what = f"{path}, {inside.name}" if inside else path
    parts = [f"{what}, lines {first}-{first + count - 1} of {last if inside else len(lines)}"]
    how = "view one with `symbol`, or a range of lines" if path.endswith(PYTHON) else "view a range of lines"
    parts += [numbered(head[:count], first), f"… its definitions ({how}):"]
    rows = [row for row in map(_row, known) if row]
    parts += _within(rows, OUTLINE_ROOM)
    room = ROOM - sum(len(part) + 1 for part in parts)
    for one in _mentioned_definitions([each for each in known if each.line >= first + count], mentioned, lines, room):
        parts += [f"… {one.name}, lines {one.line}-{one.end}", numbered(lines[one.line - 1 : one.end], one.line)]
    return "\n".join(parts)


def _mentioned_definitions(
    known: Sequence[Definition], mentioned: frozenset[str], lines: Sequence[str], room: int
) -> list[Definition]:
    """Return as many of the definitions mentioned so far as fit, in file order; rare names are preferred."""
    named = [one for one in known if _last(one) in mentioned]
    often = Counter(map(_last, known))
    chosen: list[Definition] = []
    for one in sorted(named, key=lambda one: (often[_last(one)], one.end - one.line)):
        size = 60 + sum(min(len(line), LONGEST_LINE) + 7 for line in lines[one.line - 1 : one.end])
        if size <= room and not any(one.line <= other.end and other.line <= one.end for other in chosen):
            chosen.append(one)
            room -= size
    return sorted(chosen, key=lambda one: one.line)


def _last(definition: Definition) -> str:
    return definition.name.rpartition(".")[2]


def _row(definition: Definition) -> str:
    depth = definition.name.count(".")
    return f"{'  ' * depth}{definition.line}-{definition.end} {definition.kind} {definition.name.rpartition('.')[2]}"


def _within(rows: list[str], room: int) -> list[str]:
    """Return the rows if they fit, otherwise the rows without the most deeply nested ones, otherwise as many as fit."""
    for depth in (4, 2, 1, 0):
        kept = [row for row in rows if len(row) - len(row.lstrip()) <= 2 * depth]
        if sum(len(row) + 1 for row in kept) <= room:
            return kept
    kept = rows
    while sum(len(row) + 1 for row in kept) > room:
        kept = kept[: len(kept) * 4 // 5]
    return [*kept, f"… {len(rows) - len(kept)} more definitions"]
