"""Information from earlier observations that an action uses, and whether the current request still contains it.

The arguments of an action are searched for names that are not everyday words (with an underscore, an inner capital or a
digit, or after `def` and `class`), paths, lines of at least twenty characters, and the numbers of requested lines that
a search or a traceback has shown (a file shown with line numbers shows every number). An item is missed if the
observations of the original run contain it and our request does not.
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
_DUNDER = re.compile(r"__\w+__$")
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


class TextIndex:
    """Index of texts: words, lines without their numbers, and line numbers, those in margins separately (`tabbed`)."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.words: set[str] = set()
        self.lines: set[str] = set()
        self.numbers: set[int] = set()
        self.tabbed: set[int] = set()
        self.texts: list[str] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        words, lines, numbers, tabbed = _index(text)
        self.words |= words
        self.lines |= lines
        self.numbers |= numbers
        self.tabbed |= tabbed
        self.texts.append(text)

    def has_path(self, path: str) -> bool:
        return any(path in text for text in self.texts)

    def has_line(self, line: str) -> bool:
        return line in self.lines or any(line in text for text in self.texts)


@lru_cache(maxsize=1024)
def _index(text: str) -> tuple[frozenset[str], frozenset[str], frozenset[int], frozenset[int]]:
    numbers = frozenset(int(next(filter(None, found))) for found in _NUMBERED.findall(text))
    tabbed = frozenset(map(int, _TABBED.findall(text)))
    return frozenset(_WORD.findall(text)), frozenset(_long_lines(text)), numbers, tabbed


def missed(actions: Iterable[Action], known: TextIndex, visible: TextIndex) -> list[str]:
    """Return the items that the actions use, `known` contains and `visible` does not."""
    found: list[str] = []
    for action in actions:
        text = "\n".join(_texts(action.arguments))
        words = (_names(text) & known.words) - visible.words
        lines = [line for line in _long_lines(text) if line in known.lines and not visible.has_line(line)]
        paths = [path for path in set(_PATH.findall(text)) if known.has_path(path) and not visible.has_path(path)]
        wanted = _requested_lines(action, text) & known.numbers
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
    return {name for name in named - _EVERYDAY if not _DUNDER.match(name)}


def _long_lines(text: str) -> set[str]:
    return {line for line in (_GUTTER.sub("", each).strip() for each in text.split("\n")) if len(line) >= LONG_LINE}


def _requested_lines(action: Action, text: str) -> set[int]:
    """Return the line numbers that an action requests. Skips round numbers, which come from no observation."""
    requested = {int(number) for window in _WINDOW.findall(text) for number in window}
    requested |= {value for name in ("start", "end") if isinstance(value := action.arguments.get(name), int)}
    return {number for number in requested if number > 10 and number % 10}
