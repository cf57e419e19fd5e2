"""What a later action used of what an earlier observation had told, and whether it can still be seen.

Looked at are an action's arguments: names that are no everyday words (with an underscore, an inner capital or a digit,
or after `def` and `class`), paths, lines of at least twenty characters, and the numbers of the lines it asks for,
where a search or a traceback had told them (of a file that is shown with numbers every number is known). What the
original run's observations had said of these, and our request does not say anywhere, is missed.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from trajectories.records import Action

LONG_LINE = 20
_WORD = re.compile(r"[A-Za-z_]\w{3,}")
_MARKED = re.compile(r"\w_\w|[a-z][A-Z]|\d[A-Za-z]|[A-Za-z]\d")
_DEFINED = re.compile(r"\b(?:def|class) ([A-Za-z]\w{3,})")
_OF_PYTHON = re.compile(r"__\w+__$")
_PATH = re.compile(r"(?:[\w.-]+/)+[\w-]+\.\w{1,6}\b")
_NUMBERED = re.compile(r"^\s*(?:[^\s:]+[:-])?(\d+)[:-]|\bline (\d+)|:(\d+)\b", re.MULTILINE)
_TABBED = re.compile(r"^\s*(\d+)\t", re.MULTILINE)
_WINDOW = re.compile(r"sed -n ['\"]?(\d+),(\d+)p")
_GUTTER = re.compile(r"^\s*(?:[^\s:]+[:-])?\d+[:\t-]")
_EVERYDAY = {
    *keyword.kwlist,
    *dir(builtins),
    *dir(str),
    *dir(list),
    *dir(dict),
    "main",
    "self",
    "test",
    "tests",
    "assert",
}


class Seen:
    """What texts have said so far: words, lines without their numbers, numbers of lines, those in margins apart."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.words: set[str] = set()
        self.lines: set[str] = set()
        self.numbers: set[int] = set()
        self.tabbed: set[int] = set()
        self.texts: list[str] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        words, lines, numbers, tabbed = _read(text)
        self.words |= words
        self.lines |= lines
        self.numbers |= numbers
        self.tabbed |= tabbed
        self.texts.append(text)

    def says_path(self, path: str) -> bool:
        return any(path in text for text in self.texts)

    def says_line(self, line: str) -> bool:
        return line in self.lines or any(line in text for text in self.texts)


@lru_cache(maxsize=1024)
def _read(text: str) -> tuple[frozenset[str], frozenset[str], frozenset[int], frozenset[int]]:
    numbers = frozenset(int(next(filter(None, found))) for found in _NUMBERED.findall(text))
    tabbed = frozenset(map(int, _TABBED.findall(text)))
    return frozenset(_WORD.findall(text)), frozenset(_long_lines(text)), numbers, tabbed


def missed(actions: Iterable[Action], told: Seen, visible: Seen) -> list[str]:
    """What the actions use, `told` holds and `visible` does not."""
    found: list[str] = []
    for action in actions:
        text = "\n".join(_texts(action.arguments))
        words = (_names(text) & told.words) - visible.words
        lines = [line for line in _long_lines(text) if line in told.lines and not visible.says_line(line)]
        paths = [path for path in set(_PATH.findall(text)) if told.says_path(path) and not visible.says_path(path)]
        wanted = _windows(action, text) & told.numbers
        found += [
            *sorted(words),
            *lines,
            *paths,
            *(f"line {number}" for number in wanted - visible.numbers - visible.tabbed),
        ]
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _names(text: str) -> set[str]:
    named = {*_DEFINED.findall(text), *(word for word in _WORD.findall(text) if _MARKED.search(word))}
    return {name for name in named - _EVERYDAY if not _OF_PYTHON.match(name)}


def _long_lines(text: str) -> set[str]:
    return {line for line in (_GUTTER.sub("", each).strip() for each in text.split("\n")) if len(line) >= LONG_LINE}


def _windows(action: Action, text: str) -> set[int]:
    """The lines that an action asks a file for. Round ones are nobody's finding."""
    given = {int(number) for window in _WINDOW.findall(text) for number in window}
    given |= {value for name in ("start", "end") if isinstance(value := action.arguments.get(name), int)}
    return {number for number in given if number > 10 and number % 10}
