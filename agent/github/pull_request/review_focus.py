"""What a reviewer should look at first, most telling first: read off the diff, the verdict and what the run met."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.patch import is_test, is_test_config
from agent.github.neutral import named, neutral

if TYPE_CHECKING:
    from agent.github.handover import Outcome

MOST, LONGEST = 8, 400
"""Lines beside those on files that run by themselves, and characters of others' words in one."""
ROUTINE = re.compile(
    r"The suite with|Only the \d+ tests|Run first, |The test command did not end|The code under test runs|No test ran|"
    r"Failing before and mended|No test reproduces the issue|.* is installed in .*: it may hold the fix\.$"
)
"""Notes of a verdict that say how much stands behind it: the proof tells that. And those on copies of the package:
where they lie in an environment of ours is nothing to a reviewer."""
_FILE = re.compile(r"(?m)^diff --git (?:a/.*|\"a/.*\") (?:b/(.*)|\"b/(.*)\")$")
_HUNK = re.compile(r"(?m)^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)$")
_NAME = re.compile(r"\b(?:def|class|func|fn|function|interface|struct|impl|module)\s+(?:\([^()]*\)\s*)?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Hunk:
    """A place that a diff changes: its first changed line (in the new file), lines changed, and what it is in."""

    path: str
    line: int
    size: int
    within: str
    new_file: bool


def look_first(outcome: Outcome, diff: str, flagged: Mapping[str, str]) -> list[str]:
    """Lines of Markdown: all files that run by themselves; then at most eight on attempts to instruct the agent, tests
    that the issue overrules or the patch changes, the change that matters, doubts of the proof's."""
    lines = list(dict.fromkeys(_lines(outcome, diff)))
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return [*_flagged(flagged), *lines[:MOST], *more]


def _flagged(flagged: Mapping[str, str]) -> Iterator[str]:
    """A line a reason, with every path."""
    by_reason: dict[str, list[str]] = {}
    for path, why in flagged.items():
        by_reason.setdefault(why, []).append(named(path))
    for why, (*paths, last) in by_reason.items():
        words = f"{', '.join(paths)} and {last}: each" if paths else last
        yield f"{words} {neutral(why[:LONGEST])}."


def _lines(outcome: Outcome, diff: str) -> Iterator[str]:
    found = list(hunks(diff))
    for attempt in outcome.attempts[:2]:
        yield neutral(attempt[:LONGEST])
    for test in outcome.result["verdict"]["contradicted"]:
        name, _, quote = test.partition(": ")
        yield f"{named(name)} fails with this change, as the issue asks: {neutral(quote[:LONGEST])}"
    for path in dict.fromkeys(hunk.path for hunk in found if not hunk.new_file and _of_tests(hunk.path)):
        yield f"{named(path)} was there before and is changed: it is not what proves the change."
    source = [hunk for hunk in found if not _of_tests(hunk.path) and hunk.path != outcome.changelog]
    if source:
        yield _largest(source)
    for note in outcome.result["verdict"]["notes"]:
        if not ROUTINE.match(note):
            yield neutral(note[:LONGEST])


def _of_tests(path: str) -> bool:
    return is_test(path) or is_test_config(path)


def _largest(source: list[Hunk]) -> str:
    hunk = max(source, key=lambda each: each.size)
    where = f"{named(hunk.path)}, line {hunk.line}" + (f" (in {named(hunk.within)})" if hunk.within else "")
    if len(source) == 1:
        return f"{where}: the only place outside the tests that changes."
    return f"{where}: the largest of {len(source)} places that change."


def hunks(diff: str) -> Iterator[Hunk]:
    """Every place that a diff of git's changes."""
    starts = [*_FILE.finditer(diff)]
    for number, match in enumerate(starts):
        if not (path := match[1] or match[2]):
            continue
        end = starts[number + 1].start() if number + 1 < len(starts) else len(diff)
        section = diff[match.end() : end]
        new = "\nnew file mode " in section.partition("\n@@ ")[0]
        places = [*_HUNK.finditer(section)]
        for at, place in enumerate(places):
            text = section[place.end() + 1 : places[at + 1].start() if at + 1 < len(places) else len(section)]
            yield _hunk(path, int(place[1]), place[2], text.split("\n"), new)


def _hunk(path: str, start: int, context: str, lines: list[str], new_file: bool) -> Hunk:
    first, line, names = 0, start, _NAME.findall(context)
    for text in lines:
        if text[:1] in ("+", "-"):
            first = first or line
        elif not first:
            names += _NAME.findall(text)
        line += text[:1] in ("+", " ")
    size = sum(text[:1] in ("+", "-") for text in lines)
    return Hunk(path, first or start, size, "" if new_file or not names else names[-1], new_file)
