"""The cause that a program states in its output when it cannot start or ends early."""

from __future__ import annotations

import re

from aci.observation.output_text import cut_lines
from aci.observation.untrusted_text import clean_output, one_line

LONGEST = 300
"""Maximum number of characters of a cause."""
MOST_LINES = 5_000
"""Maximum number of lines that are searched at each end of the output."""
_PREFIX = re.compile(r"^(?:INTERNALERROR> |E {3}|npm (?:ERR!|error) ?|\[ERROR\] ?|[●✕✖\u00d7\u2a2f]\s+)")
"""Marks that runners put before each line of an error."""
_STATED = re.compile(
    r"(?:[^\s:][^:\n]{0,200}: |PHP )?(?:fatal |usage )?error(?:\[\w+\])?: +(?!usage:)\S"  # argparse, pytest, cargo, PHP
    r"|[\w. ]{1,80}Error: *$"  # jest, RSpec; the message follows
    r"|error (?!Command failed)\S"  # yarn
    r"|\* What went wrong:"  # Gradle
    r"|(?:[^\s:]+: )?(?:flag provided but not defined|(?:unknown|invalid|bad|unrecognized) option)\b"  # Go, PHP, RSpec
    r"|go: (?!downloading|finding|extracting)\S"
    r"|(?:MISSING DEPENDENCY +)?(?:Cannot|Could not) (?:find|open|load) \S"  # vitest, PHPUnit, Bundler
    r"|Missing script: \S|ImportError while loading \S",
    re.IGNORECASE,
)
"""Matches a line in which a runner says why it could not run the tests."""
_RAISED = re.compile(r"[\w.]{0,80}Error(?: \[\w+\])?: +(?!usage:)\S")
"""Matches the first line of an exception of Node, which prints it above its stack."""
_NO_CAUSE = re.compile(r"error: could not compile\b|error: (?:\d+ targets|test|doctest) failed\b", re.IGNORECASE)


def failure_cause(output: bytes | str) -> str:
    """Return the line in which a program says why it failed, with the exception that ended it, or "".

    If the line announces a message, such as `Validation Error:`, the message's first line is included.
    """
    lines = clean_output(output).split("\n")
    if len(lines) > 2 * MOST_LINES:
        lines = [*lines[:MOST_LINES], *lines[-MOST_LINES:]]
    marked = [_PREFIX.match(line) for line in lines]
    bare = [line[mark.end() :] if mark else line for line, mark in zip(lines, marked, strict=True)]
    raised = _exception(bare, [bool(mark) for mark in marked])
    stated = _statement(bare, (_STATED,) if raised else (_STATED, _RAISED))
    if not stated:  # Maven marks its errors, but states them in many ways
        stated = next((line for line, mark in zip(bare, marked, strict=True) if mark and mark[0] == "[ERROR] "), "")
    parts = [stated, *([raised] if raised not in stated else [])]
    return cut_lines(one_line(". ".join(part.strip().rstrip(".") for part in parts if part.strip())), LONGEST)


def last_line(output: bytes | str) -> str:
    """Return the last line of the output that is not blank, at most `LONGEST` characters of it; "" if all are blank."""
    return clean_output(output).rpartition("\n")[2].strip()[-LONGEST:]


def _statement(lines: list[str], forms: tuple[re.Pattern[str], ...]) -> str:
    """Return the first line that states an error in one of these forms; follow-up errors come later."""
    for number, line in enumerate(map(str.strip, lines)):
        if any(form.match(line) for form in forms) and not _NO_CAUSE.match(line):
            rest = (one.strip() for one in lines[number + 1 :] if one.strip())
            return f"{line} {next(rest, '')}" if line.endswith(":") else line
    return ""


def _exception(lines: list[str], marked: list[bool]) -> str:
    """Return the exception of the last Python traceback, or of pytest's short form of one; "" if there is none."""
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last):")]
    if starts:
        below = lines[starts[-1] + 1 :]
    else:
        below = [line for line, mark in zip(lines, marked, strict=True) if mark]
        starts = [number for number, line in enumerate(lines) if line.startswith("ImportError while loading")]
    found = [line for line in below if line[:1].strip()]
    return found[0] if starts and found else ""
