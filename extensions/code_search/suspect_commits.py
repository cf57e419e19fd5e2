"""The commits since a good revision, ranked by what they changed of the places and texts that an error log names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aci.history.commit_index import changed_functions
from aci.issue_text.issue_mentions import WORD, is_identifier_like

if TYPE_CHECKING:
    from aci.history.git_log import GitLog

FILE, FUNCTION, MESSAGE, NAME, SUBJECT, LIKELY = 0.5, 0.8, 0.7, 0.25, 0.2, 0.3
"""Weights of the reasons: the commit changes a named file or function, adds text of an error message, writes a name of
the log, mentions it in its message, or changes a file that is likely by the localization."""
MOST_COMMITS = 2_000
READ_SPANS = 200
"""Maximum number of commits whose changed functions and added lines are read: the best by their files."""
SHORTEST_MESSAGE = 12
MOST_REASONS = 4


class Clues(NamedTuple):
    """What a log leads to: named files and functions (`path`, dotted name) and likely files, with values from 0 to
    1, error messages, and names."""

    files: Mapping[str, float]
    functions: Mapping[tuple[str, str], float]
    likely: Mapping[str, float]
    messages: Sequence[str]
    names: frozenset[str]


class SuspectCommit(NamedTuple):
    """A commit with its score from 0 to 1 and the reasons, strongest first."""

    commit: str
    subject: str
    score: float
    why: tuple[str, ...]


def rank_commits(commits: GitLog, ids: Sequence[str], clues: Clues, top: int) -> list[SuspectCommit]:
    """Return the commits among `ids` (newest first) that have a reason, the most likely first; merges are left out,
    since the merged commits are among them."""
    subjects: dict[str, str] = {}
    reasons: dict[str, dict[str, float]] = defaultdict(dict)
    for one, paths in commits.read_changed(ids[:MOST_COMMITS]):
        message = one.message[:2_000].decode("utf-8", "replace")
        subjects[one.id] = message.partition("\n")[0]
        for path in paths:
            if value := clues.files.get(path):
                reasons[one.id][f"changes {path}, which the log names"] = FILE * value
            elif value := clues.likely.get(path):
                reasons[one.id][f"changes {path}, which is likely by the log's words"] = LIKELY * value
        if shared := clues.names.intersection(WORD.findall(message)):
            reasons[one.id][f"its message has {', '.join(sorted(shared)[:3])}"] = SUBJECT
    read = sorted(reasons, key=lambda id: -sum(reasons[id].values()))[:READ_SPANS]
    for id, functions in changed_functions(commits, read).items():
        for path, names in functions.items():
            for name in names:
                if value := clues.functions.get((path, name)):
                    reasons[id][f"changes {name}, which the log names"] = FUNCTION * value
    for id, added in commits.added(read).items():
        reasons[id] |= _text_reasons([line for lines in added.values() for line in lines], clues)
    order = {id: place for place, id in enumerate(ids)}
    found = [
        SuspectCommit(
            id, subjects[id], _combined(own), tuple(sorted(own, key=lambda why: (-own[why], why)))[:MOST_REASONS]
        )
        for id, own in reasons.items()
    ]
    return sorted(found, key=lambda one: (-one.score, order[one.commit]))[:top]


def _text_reasons(lines: Sequence[str], clues: Clues) -> dict[str, float]:
    """Return the reasons of a commit by the lines that it adds."""
    found = {}
    text = "\n".join(lines)
    for message in clues.messages:
        if len(message) >= SHORTEST_MESSAGE and message in text:
            found[f"adds the text {message[:60]!r}"] = MESSAGE
    if shared := clues.names.intersection(word for word in WORD.findall(text) if is_identifier_like(word)):
        found[f"adds lines with {', '.join(sorted(shared)[:3])}"] = NAME
    return found


def _combined(reasons: Mapping[str, float]) -> float:
    left = 1.0
    for value in reasons.values():
        left *= 1 - value
    return round(1 - left, 4)
