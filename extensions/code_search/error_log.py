"""The parts of an error log that matter: the lines around errors, the places in the code that lines name, and the tests
that failed.

A log may be the output of a test runner, a compiler or a CI job, in any of the supported languages; it is untrusted.
Like Log Detective (Fedora), it keeps few distinct lines of a long log: lines that differ only in numbers count as one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from aci.issue_text.issue_mentions import CODE
from aci.issue_text.issue_sections import find_frames
from aci.issue_text.runner_lines import plain_line

_ERROR = re.compile(
    r"\b(?:\w*Error|\w*Exception|\w*Failure|error|fatal|failed|failure|FAIL(?:ED|URE)?|panic(?:ked)?|undefined|abort(?:ed)?"
    r"|segmentation fault|assertion|not found|cannot|unresolved|Traceback)\b|^E  +\S|^\s*(?:✕|●|✗)\s",
    re.IGNORECASE,
)
_NO_ERROR = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed)\b|\bwarnings?:|-Werror", re.IGNORECASE)
_PLACE = re.compile(
    # Matches only at the start of a word, since matching inside long words is slow.
    r"(?<![^\s:\"'`(=\[<>,])(?P<path>[\w./\\@+~-]{1,300}\.(?:" + "|".join(sorted(CODE)) + r"))"
    r"(?:\"?[:,(]\[?|\"? on line |\"?, line |\"? line |:line )(?P<line>\d{1,7})\b",
    re.IGNORECASE,
)
_TESTS = (
    re.compile(r"\b(?:FAILED|ERROR) (?P<path>[^\s:]{1,300}\.py)::(?P<name>[\w:.]{1,200})"),  # pytest
    re.compile(r"^\s*--- FAIL: (?P<path>)(?P<name>\w{1,200})"),  # Go
    re.compile(r"^(?:FAIL|ERROR): (?P<name>\w{1,200}) \((?P<path>)[\w.]{1,300}\)"),  # unittest
    re.compile(r"^test (?P<path>)(?P<name>[\w:]{1,200}) \.\.\. FAILED"),  # Rust
    re.compile(r"^\s*(?:FAIL|✕|✗)\s+(?P<path>[\w./@-]{1,300}\.[cm]?[jt]sx?)(?P<name>)\b"),  # jest, vitest
)
MOST_LINES = 400_000
"""Maximum number of lines that are read, from the end."""
LONGEST_LINE = 1_000
MOST_PLACES = 200
BEFORE, AFTER = 4, 8
"""Numbers of lines before and after an error that belong to the excerpt."""
FIRST_ERRORS, LAST_ERRORS = 30, 70
MOST_EXCERPT = 40_000
FAR = 5
"""Number of lines from the nearest error at which a place counts half."""
FARTHEST = 50
"""Number of lines from the nearest error after which places are ignored."""


class LogPlace(NamedTuple):
    """A place that a line of the log names. `line` is 0 if only a name is given, `value` from 0 to 1 grows with the
    nearness to an error, and `log_line` counts from 1."""

    path: str
    line: int
    name: str
    value: float
    log_line: int


class ErrorLog(NamedTuple):
    """What a log says: its last error in one line, the lines around its errors, and the places that it names."""

    title: str
    excerpt: str
    places: tuple[LogPlace, ...]


def read_error_log(text: str) -> ErrorLog:
    """Read a log without escape sequences. Never fails: a log without an error gives its last lines."""
    lines = [plain_line(line[: 2 * LONGEST_LINE])[:LONGEST_LINE] for line in text.split("\n")]
    skipped = max(0, len(lines) - MOST_LINES)
    lines = lines[skipped:]
    errors = [number for number, line in enumerate(lines) if _ERROR.search(line) and not _NO_ERROR.search(line)]
    distinct = _without_repeats(lines, errors)
    chosen = [*distinct[:FIRST_ERRORS], *distinct[FIRST_ERRORS:][-LAST_ERRORS:]]
    title = next((lines[number].strip() for number in reversed(chosen) if len(lines[number].split()) > 1), "")
    return ErrorLog(
        title or next((line.strip() for line in reversed(lines) if line.strip()), ""),
        _excerpt(lines, chosen or range(max(0, len(lines) - BEFORE - AFTER), len(lines))),
        tuple(_places(lines, errors, skipped)),
    )


def _without_repeats(lines: Sequence[str], numbers: Sequence[int]) -> list[int]:
    """Return the first of the lines that differ only in numbers."""
    first: dict[str, int] = {}
    for number in numbers:
        first.setdefault(re.sub(r"0x[0-9a-f]+|\d+", "0", lines[number]), number)
    return sorted(first.values())


def _excerpt(lines: Sequence[str], errors: Sequence[int]) -> str:
    """Return the lines around the errors; if they are too many, those around the last errors."""
    wanted: dict[int, None] = {}
    room = MOST_EXCERPT
    for number in reversed(errors):
        around = [at for at in range(max(0, number - BEFORE), min(len(lines), number + AFTER + 1)) if at not in wanted]
        room -= sum(len(lines[at]) + 1 for at in around)
        if room < 0:
            break
        wanted.update(dict.fromkeys(around))
    return "\n".join(lines[number] for number in sorted(wanted))


def _places(lines: Sequence[str], errors: Sequence[int], skipped: int) -> list[LogPlace]:
    """Return the places that the lines name, each once, the ones nearest to an error first."""
    best: dict[tuple[str, int, str], LogPlace] = {}
    for number, line in enumerate(lines):
        distance = _distance(number, errors)
        if distance > FARTHEST:
            continue
        value = 1 / (1 + distance / FAR)
        for path, at, name in _named(line):
            known = best.get((path, at, name))
            if known is None or known.value <= value:  # of equal ones, the last is nearest to the end
                best[path, at, name] = LogPlace(path, at, name, round(value, 3), number + 1 + skipped)
    return sorted(best.values(), key=lambda place: (-place.value, -place.log_line, place.path, place.line))[
        :MOST_PLACES
    ]


def _named(line: str) -> list[tuple[str, int, str]]:
    """Return (path, line, name) of each place that a line of the log names."""
    found = [(match["path"], 0, match["name"].replace("::", ".")) for form in _TESTS for match in form.finditer(line)]
    if re.search(r"\.\w{1,6}\b.{0,12}?\d", line):
        line = line.replace("\\", "/")
        frames, rest = find_frames(line)
        found += [(frame.path, frame.line, frame.name) for frame in frames if frame.line]
        found += [(match["path"], int(match["line"]), "") for match in _PLACE.finditer(rest)]
    return found


def _distance(number: int, errors: Sequence[int]) -> float:
    """Return the number of lines to the nearest error; FARTHEST if there is no error."""
    after = bisect_left(errors, number)
    near = [abs(errors[at] - number) for at in (after - 1, after) if 0 <= at < len(errors)]
    return min(near, default=FARTHEST)
