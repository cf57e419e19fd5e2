"""What a reviewer should look at first, derived from the diff, the verdict and the run's findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.repository.patch import is_test, is_test_config
from agent.github.pull_request.text_escaping import escape_markdown, format_name
from trajectories.fact_migration import facts_of
from trajectories.facts import FactKind
from trajectories.unified_diff import HunkHeader, split_hunks

if TYPE_CHECKING:
    from agent.github.task.result_file import Outcome

MOST, LONGEST = 8, 400
"""Maximum number of lines, not counting those on flagged files, and maximum number of characters of untrusted text in a
line."""
ROUTINE: frozenset[FactKind] = frozenset({"suite", "partial", "extent", "untested", "reproduction", "environment"})
"""Kinds of facts that are left out: facts on the extent of the proof, which the proof's sentences cover, and facts on
copies of the package that are installed in swe-agent's environment, which do not concern a reviewer."""
_FILE = re.compile(r"(?m)^diff --git (?:a/.*|\"a/.*\") (?:b/(.*)|\"b/(.*)\")$")
_NAME = re.compile(r"\b(?:def|class|func|fn|function|interface|struct|impl|module)\s+(?:\([^()]*\)\s*)?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Hunk:
    """A hunk of a diff: its first changed line in the new file, the number of changed lines, and the enclosing
    symbol."""

    path: str
    line: int
    size: int
    within: str
    new_file: bool


def review_lines(outcome: Outcome, diff: str, flagged: Mapping[str, str]) -> list[str]:
    """Return lines of Markdown on what to look at first.

    All flagged files come first. At most `MOST` lines follow, about attempts to instruct the agent, tests that the
    issue contradicts or the patch changes, the largest change, and the limits of the proof.
    """
    lines = list(dict.fromkeys(_lines(outcome, diff)))
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return [*_flagged(flagged), *lines[:MOST], *more]


def _flagged(flagged: Mapping[str, str]) -> Iterator[str]:
    """Yield one line for each reason, with all the paths that it applies to."""
    by_reason: dict[str, list[str]] = {}
    for path, why in flagged.items():
        by_reason.setdefault(why, []).append(format_name(path))
    for why, (*paths, last) in by_reason.items():
        words = f"{', '.join(paths)} and {last}: each" if paths else last
        yield f"{words} {escape_markdown(why[:LONGEST])}."


def _lines(outcome: Outcome, diff: str) -> Iterator[str]:
    found = list(hunks(diff))
    for attempt in outcome.attempts[:2]:
        yield escape_markdown(attempt[:LONGEST])
    for test in outcome.result["verdict"]["contradicted"]:
        name, _, quote = test.partition(": ")
        yield f"{format_name(name)} fails with this change, as the issue asks: {escape_markdown(quote[:LONGEST])}"
    for path in dict.fromkeys(hunk.path for hunk in found if not hunk.new_file and _is_test_file(hunk.path)):
        yield f"{format_name(path)} existed before and is changed: it does not prove the change."
    source = [hunk for hunk in found if not _is_test_file(hunk.path) and hunk.path != outcome.changelog]
    if source:
        yield _largest(source)
    for text in reviewer_notes(outcome.result["verdict"]):
        yield escape_markdown(text[:LONGEST])


def reviewer_notes(verdict: Mapping[str, Any]) -> list[str]:
    """Return the words of the facts of a verdict, as in `fix --json`, that concern a reviewer."""
    return [fact.text for fact in facts_of(verdict) if fact.kind not in ROUTINE]


def _is_test_file(path: str) -> bool:
    return is_test(path) or is_test_config(path)


def _largest(source: list[Hunk]) -> str:
    hunk = max(source, key=lambda each: each.size)
    where = f"{format_name(hunk.path)}, line {hunk.line}" + (f" (in {format_name(hunk.within)})" if hunk.within else "")
    if len(source) == 1:
        return f"{where}: the only place outside the tests that changes."
    return f"{where}: the largest of {len(source)} changes."


def hunks(diff: str) -> Iterator[Hunk]:
    """Yield the hunks of a git diff."""
    starts = [*_FILE.finditer(diff)]
    for number, match in enumerate(starts):
        if not (path := match[1] or match[2]):
            continue
        end = starts[number + 1].start() if number + 1 < len(starts) else len(diff)
        head, found = split_hunks(diff[match.end() : end])
        for header, text in found:
            yield _hunk(path, header, text.split("\n")[1:], "\nnew file mode " in head)


def _hunk(path: str, header: HunkHeader, lines: list[str], new_file: bool) -> Hunk:
    first, line, names = 0, header.new_start, _NAME.findall(header.section)
    for text in lines:
        if text[:1] in ("+", "-"):
            first = first or line
        elif not first:
            names += _NAME.findall(text)
        line += text[:1] in ("+", " ")
    size = sum(text[:1] in ("+", "-") for text in lines)
    return Hunk(path, first or header.new_start, size, "" if new_file or not names else names[-1], new_file)
