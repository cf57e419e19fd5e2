"""Digest of a test run's failures for a model: where and why each failed, grouped by message."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aci.observation.output_text import cut_lines
from aci.observation.untrusted_text import clean_output
from aci.testing.suite_run import TestResult

MOST_FAILURES, MOST_MESSAGES, MOST_IDS, MOST_LINES, MOST_FRAMES = 12, 4, 6, 10, 3
"""Maximum numbers of failure groups listed, groups shown with their message, tests listed per group, lines of a
message, and stack frames."""
LONGEST_LINE, LONG_OUTPUT = 300, 1_500
OMITTED = re.compile(r"\s*(?:\? [ +^-]*$|Use -v to get |Omitting \d+ identical)")

_RUNNER_LINE = re.compile(
    r"$|\s{2}|[=_-]{3}|[E>]\s|[.FEsxXu]+(?:\s*\[|$)|\S+\.py [.FEsxX]+(?:\s|$)|\S+:\d+: "
    r"|(?:platform|rootdir|configfile|plugins|cachedir|collected|Ran|FAILED|FAIL:|ERROR:?|Traceback)(?:\W|$)"
)
"""Lines that pytest and unittest write around a failure: banners, source lines and locations."""


def format_failures(failed: Sequence[TestResult]) -> list[str]:
    """Return lines with the names of the failed tests, their innermost frames in the repository, and their messages."""
    groups: dict[tuple[str, str], list[TestResult]] = {}
    for result in failed:
        groups.setdefault((result.message, result.trace[-1] if result.trace else ""), []).append(result)
    shown = []
    for number, ((message, _), results) in enumerate(list(groups.items())[:MOST_FAILURES]):
        shown += [f"{result.outcome.upper()} {result.id}" for result in results[:MOST_IDS]]
        if len(results) > MOST_IDS:
            shown.append(f"… {len(results) - MOST_IDS} more tests with this message")
        if number >= MOST_MESSAGES:
            continue
        shown += [f"  at {frame}" for frame in results[0].trace[-MOST_FRAMES:]]
        shown += _message(message)
    if (omitted := min(len(groups), MOST_FAILURES) - MOST_MESSAGES) > 0:
        shown.append(f"… {omitted} more reasons")
    rest = list(groups.values())[MOST_FAILURES:]
    if rest:
        shown.append(f"… {sum(map(len, rest))} more failures")
    return shown


def _message(message: str) -> list[str]:
    """Return the first lines of a message and its last two, which contain the end of a diff or the exception; indent
    all lines."""
    shown = (line for line in clean_output(message).split("\n") if line.strip() and not OMITTED.match(line))
    lines = [f"  {cut_lines(line, LONGEST_LINE)}" for line in shown]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 3], f"  … {len(lines) - MOST_LINES + 1} lines", *lines[-2:]]


def has_more_output(output: str, shown: str) -> bool:
    """Whether a test run's output is long, or has lines that `shown` lacks, such as those printed by the code."""
    if len(output) > LONG_OUTPUT or "…" in shown:
        return True
    known = set(map(str.strip, shown.split("\n")))
    return any(line.strip() not in known for line in output.split("\n") if not _RUNNER_LINE.match(line))
