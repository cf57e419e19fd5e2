"""What a reviewer should look at first, derived from the diff, the verdict and the run's findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from aci.repository.test_files import is_test, is_test_config
from agent.patch_checks.review_focus import Hunk, hunks, reviewer_notes
from extensions.github.text_escaping import escape_markdown, format_name

if TYPE_CHECKING:
    from extensions.github.task.result_file import Outcome

MOST, LONGEST = 8, 400
"""Maximum number of lines, not counting those on flagged files, and maximum number of characters of untrusted text in a
line."""


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


def _is_test_file(path: str) -> bool:
    return is_test(path) or is_test_config(path)


def _largest(source: list[Hunk]) -> str:
    hunk = max(source, key=lambda each: each.size)
    where = f"{format_name(hunk.path)}, line {hunk.line}" + (f" (in {format_name(hunk.within)})" if hunk.within else "")
    if len(source) == 1:
        return f"{where}: the only place outside the tests that changes."
    return f"{where}: the largest of {len(source)} changes."
