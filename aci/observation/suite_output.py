"""Condensed output of a test run: failures and their causes are kept, passed tests are counted.

Applies to runs that the model starts in the shell with pytest, unittest, Django's runner, `go test`, cargo, jest,
vitest, Maven or Gradle. Names of failing tests, assertions, the repository's own frames, summaries and counts are never
removed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aci.observation.line_condensing import label_library_frames, replace_runs

LONGEST = 400
"""Maximum number of characters of a line about a passed test."""
MOST_SOURCE, MOST_SAID, MOST_CAPTURED = 3, 16, 8
"""Numbers of lines kept: of source before the failing line, of an assertion's message, and of captured output."""

_RUN = re.compile(
    r"^(?:=+ (?:test session starts|short test summary info|FAILURES|ERRORS|\d+ (?:passed|failed|error).*) ?=*$"
    r"|=*\s?\d+ (?:passed|failed)\b.* in \d[\d.]*s|Ran \d+ tests? in \d|--- (?:FAIL|PASS): |(?:ok"
    r"|FAIL) +\t?\S+\t\d|test result: "
    r"|Tests:? +.*\d+ (?:passed|failed|total)|(?:\[\w+\] )?Tests run: \d+|\d+ tests? completed, \d+ failed)",
    re.MULTILINE,
)
_PASSED = re.compile(
    r"\S+::\S.* (?:PASSED|SKIPPED|XFAIL|XPASS)(?:\s.*)?$|(?:PASSED|SKIPPED) \S+::|\[gw\d+\].* (?:PASSED|SKIPPED) "
    r"|\S+ \(\S+\)(?: \.\.\.|.*) (?:ok|skipped .*|expected failure)$|\w+ \.\.\. (?:ok|skipped .*)$"
    r"|[.sxX]+(?:\s*\[\s*\d+%\])?$"
    r"|\S+\.\w+ [.sxX]+(?:\s*\[\s*\d+%\])?$|\s*=== (?:RUN|PAUSE|CONT|NAME)\b|\s*--- (?:PASS|SKIP): |PASS$"
    r"|\?\s+\S+\s+\[no test files\]"
    r"|test .* \.\.\. (?:ok|ignored)|running \d+ tests?$|\s*(?:✓|√|✔|○) |PASS +\S|\s*(?:Doc-tests|Running) \S+"
    r"|\S+ > .* (?:PASSED|SKIPPED)$|\[INFO\] (?:Running|Tests run: .*Failures: 0, Errors: 0)"
)
_PREAMBLE = re.compile(
    r"(?:platform|cachedir|rootdir|configfile|plugins|testpaths|hypothesis profile|asyncio: mode"
    r"|metadata)\b[:= ]|=+ test session starts"
    r"|Creating (?:test database|table)|Destroying test database|Cloning test database"
    r"|Testing against Django|Found \d+ test"
    r"|System check identified no|Operations to perform|\s+(?:Applying|Synchroniz|Creating table"
    r"|Running deferred)|Skipping setup of"
    r"|bringing up nodes|\[gw\d+\] \w+ Python|gw\d+ \[\d+\]|Using --random|Executing \d+ tests"
)
_COVERED = re.compile(r"\S+\.\w+\s+\d+\s+\d+.*\d%")
_BANNER = re.compile(r"=+ (.+?) =+$|-+ (generated|coverage): ?.*-*$|… \d+ lines of (preamble)$")
_TITLE = re.compile(r"_{3,} .+ _{3,}$")
_SPLIT = re.compile(r"_ (?:_ ){5,}_?$")
_PLACE = re.compile(r"\S+:\d+: ?(?:\w|$|in )")
_LIBRARY_PLACE = re.compile(r"(?:\S*/)?(?:(?:site|dist)-packages|lib/python\d[\d.]*)/\S+:\d+:")
_CAPTURED = re.compile(r"-{3,} Captured (?:std\w+|log)(?: \w+)? -{3,}$")


def is_test_run(text: str) -> bool:
    """Return whether an output comes from a test runner."""
    return _RUN.search(text) is not None


def digest_text(text: str) -> str:
    """Return the output of a test run without passed tests, warnings, and lines that are far from a failure's cause."""
    lines = text.split("\n")
    for label in (_label_pytest, _label_passed, label_library_frames):
        lines = replace_runs(lines, label(lines))
    return "\n".join(lines)


def _label_passed(lines: Sequence[str]) -> list[str]:
    """Label lines about passed tests, and lines that runners print before the tests start."""
    return ["" if len(line) > LONGEST else _label_of_line(line) for line in lines]


def _label_of_line(line: str) -> str:
    return "on tests that passed" if _PASSED.match(line) else "of preamble" if _PREAMBLE.match(line) else ""


def _label_pytest(lines: Sequence[str]) -> list[str]:
    """Label the removable parts of pytest's output: warnings, coverage, and lines that are far from a failure's
    cause."""
    labels = [""] * len(lines)
    section, start = "", 0
    for at, line in enumerate([*lines, "=== end ==="]):
        banner = _BANNER.match(line)
        if not banner:
            continue
        if section in ("warnings summary", "coverage"):
            _label(labels, lines, range(start, at), "of warnings" if section != "coverage" else "on coverage")
        elif section in ("FAILURES", "ERRORS"):
            _failures(labels, lines, start, at)
        section, start = (banner[1] or banner[2] or banner[3]).partition(":")[0].strip(), at + 1
    return labels


def _label(labels: list[str], lines: Sequence[str], which: range, label: str) -> None:
    for at in which:
        blank = not lines[at].strip()
        if labels[at - 1 : at] == [label] if blank else not lines[at].startswith(("… ", "TOTAL", "-- Docs")):
            labels[at] = label


def _failures(labels: list[str], lines: Sequence[str], start: int, end: int) -> None:
    """Label the removable parts of each failure: distant source lines, library frames, the middle of a long message,
    and early captured output."""
    part = start
    for at in range(start, end + 1):
        if at == end or _TITLE.match(lines[at]) or _SPLIT.match(lines[at]) or _CAPTURED.match(lines[at]):
            if part > start and _CAPTURED.match(lines[part - 1]):
                _label(labels, lines, range(part, max(part, at - MOST_CAPTURED)), "captured")
            else:
                _frame(labels, lines, part, at, last=at == end or not _SPLIT.match(lines[at]))
            part = at + 1


def _frame(labels: list[str], lines: Sequence[str], start: int, end: int, last: bool) -> None:
    """Label the removable parts of a pytest frame, which consists of source up to a line that starts with `>`, lines
    that start with `E`, and the location."""
    place = next((at for at in range(end - 1, start - 1, -1) if _PLACE.match(lines[at])), None)
    if place is not None and not last and _LIBRARY_PLACE.match(lines[place]):
        _label(labels, lines, range(start, place), "of library frames")
        return
    failing = next((at for at in range(start, end) if lines[at].startswith(">")), None)
    if failing is not None:
        _label(labels, lines, range(start, max(start, failing - MOST_SOURCE)), "of source")
    message = [at for at in range(start, end) if lines[at].startswith("E ")]
    if len(message) > MOST_SAID:
        _label(labels, lines, range(message[MOST_SAID // 2], message[-MOST_SAID // 2]), "of the message")
