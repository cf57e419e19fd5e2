"""Text of a report: functions supplied by the caller, limits, masking and Unicode repair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trajectories.record_text import shorten_text
from trajectories.records import Action

LONGEST = 100_000
"""Maximum number of characters of one string in a report."""
ROOM = 24_000_000
"""Maximum number of characters of all strings in a report together."""


class Diff(str):
    """A string that is already masked and shortened, or a picture; it is not shortened again, since a patch must not
    lose its middle."""

    __slots__ = ()


@dataclass(frozen=True)
class ReportText:
    """Functions and descriptions that other layers supply. `describe` summarises an action in a line, `in_tests` says
    whether a path belongs to the tests of a patch, `mask` hides secrets. `picture_size` returns width
    and height of a picture that a page may show, else None."""

    describe: Callable[[Action], str]
    in_tests: Callable[[str], bool]
    mask: Callable[[str], str]
    picture_size: Callable[[bytes], tuple[int, int] | None]


def text_limit(lengths: Iterable[int], room: int, most: int = LONGEST) -> int:
    """Return the maximum length of each string with which all of them fit into `room` characters; shorter strings are
    not cut."""
    known = sorted(lengths)
    for at, length in enumerate(known):
        left = len(known) - at
        if length * left > room:
            return min(most, room // left)
        room -= length
    return most


def lengths(value: Any) -> Iterator[int]:
    """Yield the length of each string in a value, except strings that must not be shortened."""
    if isinstance(value, str):
        if not isinstance(value, Diff):
            yield len(value)
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from lengths(each)


def mask_texts(value: Any, mask: Callable[[str], str], limit: int = LONGEST) -> Any:
    """Return the value with every string in it masked, converted to valid Unicode, and shortened to `limit`."""
    if isinstance(value, Diff):
        return value
    if isinstance(value, str):
        hidden = mask(unicode(value))
        return hidden if len(value) <= limit else shorten_text(hidden, limit)
    if isinstance(value, Mapping):
        return {mask(unicode(str(name))): mask_texts(each, mask, limit) for name, each in value.items()}
    return [mask_texts(each, mask, limit) for each in value] if isinstance(value, list | tuple) else value


def unicode(text: str) -> str:
    """Return the text with a question mark for each lone surrogate."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
