"""Parsers for the output of JavaScript test runners, under the names that SWE-bench's data sets give them.

Test names have the form of SWE-bench's own parsers, since the expected results of the data sets were made with these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from extensions.lab.evaluation.grading_files import START, STOP

Read = Callable[[str], dict[str, bool]]
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LINES = {
    "parse_log_marked": r"^\d+\) (?P<name>.*\S)",
    "parse_log_chart_js": r"^.*?Chrome (?:Headless )?[\d.]+ \([^\n]+?\) (?P<name>.*)FAILED$",
    "parse_log_react_pdf": r"^(?:(?P<passed>PASS)|FAIL) (?P<name>\S.*?)(?: \([\d.]+ ?m?s\).*)?$",
    "parse_log_jest": r"^\s*(?:(?P<passed>✓)|[✕○]) (?P<name>.+?)(?: \(\d+\s*m?s\))?\s*$",
    "parse_log_jest_json": r"^\s*\[(?:(?P<passed>PASSED)|FAILED)\] (?P<name>.*\S)",
    "parse_log_vitest": r"^\s*(?:(?P<passed>✓)|[\u00d7↓]) (?P<name>.+?)(?: (?:\d+\s*m?s?|\[skipped\]))?\s*$",
    "parse_log_tap": r"^\s*(?:(?P<passed>ok)|not ok) \d+ (?P<name>.*\S)",
}
"""Patterns of a test's line, by parser; a test has passed if the group `passed` matches."""
_LONGEST = 2000
"""Maximum number of characters of a line that is read; tests can print what makes a pattern slow."""
_CLOSING = {"{": "}", "[": "]"}
_NUMBERED = re.compile(r"^[ \t]*\d+\)([^:]{1,1000}):", re.MULTILINE)
_ELEMENTS = re.compile(r"<(\w+)>.{0,1000}?</\1>", re.DOTALL)
_CALYPSO = re.compile(r"(?P<indent>\s+)(?:(?P<passed>✓)|(?P<failed>✕)) (?P<name>.+?)(?:\s*\(\d+ms\))?\s*$")


def javascript_reader(name: str) -> Read | None:
    """Return the parser with this name; None if there is none."""
    if name in _LINES:
        return partial(_read, partial(_by_lines, re.compile(_LINES[name])))
    own = {"parse_log_p5js": _p5js, "parse_log_calypso": _calypso}.get(name)
    return partial(_read, own) if own else None


def _read(parse: Callable[[Sequence[str]], Iterator[tuple[str, bool]]], log: str) -> dict[str, bool]:
    """Return whether each test passed; of several results with one name, the last counts."""
    output = _COLOURS.sub("", log.rpartition(START)[2].partition(STOP)[0])
    return dict(parse([line for line in output.splitlines() if len(line) <= _LONGEST]))


def _by_lines(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    for line in lines:
        if match := pattern.match(line):
            yield match["name"], bool(match.groupdict().get("passed"))


def _p5js(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield mocha's numbered failures: the suites and the test, each on a line that is indented more than the last.
    Printed objects and elements are left out, because they may look like failures."""
    for match in _NUMBERED.finditer(_ELEMENTS.sub("", "\n".join(_without_objects(lines)))):
        indents = [len(line) - len(line.lstrip()) for line in match[1].split("\n")]
        if all(before < after for before, after in zip([0, *indents], indents, strict=False)):
            yield ":".join(line.strip() for line in match[1].split("\n")), False


def _without_objects(lines: Sequence[str]) -> Iterator[str]:
    closing = ""
    for line in map(str.rstrip, lines):
        if closing:
            closing = "" if line == closing else closing
        elif not (closing := _CLOSING.get(line[-1:], "")):
            yield line


def _calypso(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield jest's results with the names of their suites, which are the less indented lines before them. Details of
    failures follow the results of a file and are left out."""
    suites: list[tuple[int, str]] = []
    has_details = False
    for line in lines:
        if line.startswith(("PASS ", "FAIL ")):
            suites, has_details = [], False
        elif line.startswith(("Test Suites", "  ● ")):
            has_details = True
        elif has_details:
            continue
        elif match := _CALYPSO.match(line):
            yield " - ".join([*(name for _, name in suites), match["name"]]), bool(match["passed"])
        elif line.strip() and line[0].isspace():
            indent = len(line) - len(line.lstrip())
            suites = [suite for suite in suites if suite[0] < indent] + [(indent, line.strip())]
