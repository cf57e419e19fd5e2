"""Search for the text that an edit replaces: exact, or ignoring differences of whitespace and line numbers.

The lenient steps (trailing spaces, a uniform shift of indentation, spacing within lines) follow Aider's
`editblock_coder.py`; a lenient match is used only if it is unique.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from aci.observation.file_contents import LINE_BREAK, split_lines
from aci.observation.untrusted_text import clean_text

_NUMBERED = re.compile(r"^ *\d+\t", re.MULTILINE)
_LONGEST_SEARCHED = 20_000


@dataclass(frozen=True, slots=True)
class Replacement:
    """The text after the replacement, and the kind of difference that was ignored to find the match ("" if none)."""

    text: str
    overlooked: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class AmbiguousMatch:
    """The number of the first line of each match if the old text occurs several times; empty if it does not occur."""

    lines: tuple[int, ...] = ()


def replace(text: str, old: str, new: str, everywhere: bool = False) -> Replacement | AmbiguousMatch:
    """Replace `old` with `new`, keeping the line endings of the file. `old` must not be empty."""
    ending = _ending(text)
    overlooked = ""
    for stripped in (False, True):
        if stripped:
            if not _all_numbered(old):
                break
            old, overlooked = _NUMBERED.sub("", old), "line numbers"
            new = _NUMBERED.sub("", new) if _all_numbered(new) else new
        exact = _exact(text, _with_ending(old, ending), _with_ending(new, ending), everywhere)
        if exact is None and ending != "\n":
            exact = _exact(text, old, new, everywhere)
        if exact is not None:
            return Replacement(exact.text, overlooked, exact.times) if isinstance(exact, Replacement) else exact
        lenient = _lenient(text, old, new, ending)
        if lenient != AmbiguousMatch():
            return lenient
    return AmbiguousMatch()


def _all_numbered(text: str) -> bool:
    """Return whether every line begins with a number and a tab, as `view` shows lines."""
    return bool(text) and all(_NUMBERED.match(line) for line in text.strip("\n").split("\n"))


def _ending(text: str) -> str:
    """Return the most frequent line ending of a text."""
    both = text.count("\r\n")
    counts = {"\n": text.count("\n") - both, "\r\n": both, "\r": text.count("\r") - both}
    return max(counts, key=lambda ending: counts[ending])


def _with_ending(text: str, ending: str) -> str:
    text = text.replace("\r\n", "\n")
    return text if ending == "\n" else text.replace("\n", ending)


def _exact(text: str, old: str, new: str, everywhere: bool) -> Replacement | AmbiguousMatch | None:
    times = text.count(old)
    if times == 1 or (times and everywhere):
        return Replacement(text.replace(old, new), times=times)
    return AmbiguousMatch(tuple(_lines_of(text, old))) if times else None


def _lines_of(text: str, old: str) -> list[int]:
    ends = [found.end() for found in LINE_BREAK.finditer(text)]
    lines, at = [], text.find(old)
    while at >= 0:
        lines.append(bisect_right(ends, at) + 1)
        at = text.find(old, at + len(old))
    return lines


def _lenient(text: str, old: str, new: str, ending: str) -> Replacement | AmbiguousMatch:
    old_lines, new_lines = _trim(_split(old), _split(new))
    if not old_lines:
        return AmbiguousMatch()
    breaks = [found.span() for found in LINE_BREAK.finditer(text)]
    starts, stops = [0, *(stop for _, stop in breaks)], [*(start for start, _ in breaks), len(text)]
    lines = [text[start:stop] for start, stop in zip(starts, stops, strict=True)]
    spaced: Callable[[str], str] = lambda line: " ".join(line.split())
    seen: Callable[[str], str] = lambda line: line if "\0" in line else spaced(clean_text(line))  # a NUL is content
    for same, overlooked in (
        (str.strip, "indentation or trailing spaces"),
        (spaced, "spacing"),
        (seen, "characters that are not shown"),
    ):
        places = _places(lines, old_lines, same)
        if len(places) > 1:
            return AmbiguousMatch(tuple(first + 1 for first, _ in places))
        if places:
            first, shift = places[0]
            put = ending.join(_shifted(line, shift) for line in new_lines)
            last = first + len(old_lines)
            if new_lines:
                return Replacement(text[: starts[first]] + put + text[stops[last - 1] :], overlooked)
            if last < len(lines):
                return Replacement(text[: starts[first]] + text[starts[last] :], overlooked)
            return Replacement(text[: stops[first - 1]] if first else "", overlooked)
    return AmbiguousMatch()


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _trim(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Remove the blank lines at both ends of the old lines, and at most as many at the ends of the new lines."""
    for end in (0, -1):
        while old and not old[end].strip():
            old = old[1:] if end == 0 else old[:-1]
            if new and not new[end].strip():
                new = new[1:] if end == 0 else new[:-1]
    return old, new


def _places(lines: list[str], old: list[str], same: Callable[[str], str]) -> list[tuple[int, tuple[str, str]]]:
    """Return each place where all lines match after one common change of indentation: the index of its first line, and
    that change."""
    wanted = [same(line) for line in old]
    keys = [same(line) for line in lines]
    found = []
    for first in range(len(keys) - len(wanted) + 1):
        if keys[first] == wanted[0] and keys[first : first + len(wanted)] == wanted:
            shift = _shift(lines[first : first + len(wanted)], old)
            if shift is not None:
                found.append((first, shift))
    return found


def _shift(there: list[str], old: list[str]) -> tuple[str, str] | None:
    """Return the indentation to remove and the indentation to add; None if the lines are not shifted uniformly."""
    shift = None
    for one, other in zip(there, old, strict=True):
        if not one.strip():
            continue
        has, given = _indent(one), _indent(other)
        if has.endswith(given):
            mine = ("", has.removesuffix(given))
        elif given.endswith(has):
            mine = (given.removesuffix(has), "")
        else:
            return None
        if shift not in (None, mine):
            return None
        shift = mine
    return shift


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shifted(line: str, shift: tuple[str, str]) -> str:
    off, on = shift
    if not line.strip():
        return line
    return on + (line.removeprefix(off) if line.startswith(off) else line.lstrip())


def nearest(text: str, old: str) -> tuple[int, int] | None:
    """Return the numbers of the first and last line of the passage most similar to `old`, or None if nothing is
    similar."""
    lines = split_lines(text)[:_LONGEST_SEARCHED]
    old_lines, _ = _trim(_split(old), [])
    if not old_lines:
        return None
    wanted = [line.strip() for line in old_lines]
    rare = max(wanted, key=len)[:200]
    offset = next(index for index, line in enumerate(wanted) if line[:200] == rare)
    keys = {line.strip()[:200] for line in lines if line.strip()}
    near = difflib.get_close_matches(rare, keys, n=3, cutoff=0.6)
    starts = [index - offset for index, line in enumerate(lines) if line.strip()[:200] in near][:20]
    windows = [(max(start, 0), min(start + len(wanted), len(lines))) for start in starts]
    if not windows:
        return None
    best = max(windows, key=lambda window: _alike(lines[slice(*window)], wanted))
    return best[0] + 1, best[1]


def _alike(lines: list[str], wanted: list[str]) -> float:
    return difflib.SequenceMatcher(None, "\n".join(line.strip() for line in lines), "\n".join(wanted), False).ratio()
