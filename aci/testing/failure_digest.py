"""Failures of a test run as a model reads them: where and why, those with one and the same message together."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aci.testing import TestResult
from aci.view import clean, cut_lines

MOST_FAILURES, MOST_TOLD, MOST_IDS, MOST_LINES, MOST_FRAMES = 12, 4, 6, 10, 3
"""Groups of failures that are named, and told with their message; tests of a group; lines and frames of a message."""
LONGEST_LINE, LONG_OUTPUT = 300, 1_500
UNTOLD = re.compile(r"\s*(?:\? [ +^-]*$|Use -v to get |Omitting \d+ identical)")

_OF_THE_RUNNER = re.compile(
    r"$|\s{2}|[=_-]{3}|[E>]\s|[.FEsxXu]+(?:\s*\[|$)|\S+\.py [.FEsxX]+(?:\s|$)|\S+:\d+: "
    r"|(?:platform|rootdir|configfile|plugins|cachedir|collected|Ran|FAILED|FAIL:|ERROR:?|Traceback)(?:\W|$)"
)
"""Lines that pytest and unittest write around a failure: banners, source, places."""


def digest(failed: Sequence[TestResult]) -> list[str]:
    """The failures' names, the repository's own innermost frames, and their messages."""
    groups: dict[tuple[str, str], list[TestResult]] = {}
    for result in failed:
        groups.setdefault((result.message, result.trace[-1] if result.trace else ""), []).append(result)
    shown = []
    for number, ((message, _), results) in enumerate(list(groups.items())[:MOST_FAILURES]):
        shown += [f"{result.outcome.upper()} {result.id}" for result in results[:MOST_IDS]]
        if len(results) > MOST_IDS:
            shown.append(f"… {len(results) - MOST_IDS} more tests with this message")
        if number >= MOST_TOLD:
            continue
        shown += [f"  at {frame}" for frame in results[0].trace[-MOST_FRAMES:]]
        shown += _message(message)
    if (untold := min(len(groups), MOST_FAILURES) - MOST_TOLD) > 0:
        shown.append(f"… {untold} more reasons")
    rest = list(groups.values())[MOST_FAILURES:]
    if rest:
        shown.append(f"… {sum(map(len, rest))} more failures")
    return shown


def _message(message: str) -> list[str]:
    """The first lines of a message, indented; its last too, where a diff or an exception ends."""
    told = (line for line in clean(message).split("\n") if line.strip() and not UNTOLD.match(line))
    lines = [f"  {cut_lines(line, LONGEST_LINE)}" for line in told]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 3], f"  … {len(lines) - MOST_LINES + 1} lines", *lines[-2:]]


def says_more(output: str, told: str) -> bool:
    """Whether a test run's output holds more than was told of it: what the code printed, or just a lot."""
    if len(output) > LONG_OUTPUT or "…" in told:
        return True
    known = set(map(str.strip, told.split("\n")))
    return any(line.strip() not in known for line in output.split("\n") if not _OF_THE_RUNNER.match(line))
