"""Signals from the commit history: the places that earlier commits similar to the issue changed.

Earlier issues and pull requests are nodes of the issue graph. Their texts are those that the front end read from GitHub
as of the base's date, or the messages of the commits about each number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from aci.graph.file_selection import is_test_or_example
from aci.history.commit_search import PastCommit
from aci.issue_text.issue_mentions import Mentions, count_terms
from aci.localization.bm25 import weigh_terms
from aci.localization.signals import Signal, normalise
from trajectories.records import PastItem

if TYPE_CHECKING:
    from aci.history.commit_search import FileHistory

MOST_SIMILAR = 100
MOST_FILES = 60
"""Commits that changed more files than this are ignored."""
READ_COMMITS = 15
"""Number of similar commits whose added lines are searched for in the code."""


class Commits(Protocol):
    """History queries that this module uses; see `aci/history/commit_search.py`."""

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[PastCommit]: ...

    def search_files(self, terms: Mapping[str, float], present: Collection[str]) -> dict[str, FileHistory]: ...

    def find_named(self, ids: Sequence[str], numbers: Sequence[int]) -> list[PastCommit]: ...

    def touched(self, commits: Sequence[str], present: Collection[str] | None = None) -> dict[str, tuple[str, ...]]: ...

    def added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...


class SimilarCommits:
    """The commits that are similar to an issue or that the issue names, and the signals derived from them."""

    def __init__(self, commits: Commits | None, query: Mapping[str, float], mentions: Mentions) -> None:
        self._commits, self._query = commits, query
        self._similar = commits.similar(query, MOST_SIMILAR) if commits else []
        self._named = commits.find_named(mentions.shas, mentions.numbers) if commits else []

    def files(self, number: Mapping[str, int]) -> dict[str, Signal]:
        """Return three signals for files; `number` maps each path to the file's number.

        `past` is for files that similar commits changed, `commit` for files that commits named in the issue changed,
        and `commit_message` for files whose commit messages use the issue's words.
        """
        commits = [one.commit for one in (*self._similar, *self._named)]
        touched = self._commits.touched(commits, number) if self._commits else {}
        changed = {
            id: [number[path] for path in paths if path in number]
            for id, paths in touched.items()
            if len(paths) <= MOST_FILES
        }
        return {
            "past": _combine_commits(
                self._similar, changed, len(number), lambda one: one.score**4, "changed by similar commits"
            ),
            "commit": _combine_commits(
                self._named, changed, len(number), lambda one: one.score, "changed by a commit mentioned in the issue"
            ),
            "commit_message": self._message_signal(number),
        }

    def _message_signal(self, number: Mapping[str, int]) -> Signal:
        signal = Signal.none(len(number))
        answers = [path for path in number if not is_test_or_example(path)]
        for path, history in (self._commits.search_files(self._query, answers) if self._commits else {}).items():
            signal.raise_to(number[path], history.score**0.5, f"in messages of its commits: {', '.join(history.terms)}")
        return signal

    def lines(self, functions: Mapping[int, tuple[str, frozenset[str]]], candidates: int) -> Signal:
        """Return a signal for functions that contain lines added by similar commits; `functions` holds the path and
        stripped lines of each."""
        signal = Signal.none(candidates)
        similar = self._similar[:READ_COMMITS]
        added = self._commits.added([one.commit for one in similar]) if self._commits else {}
        by_path: dict[str, list[int]] = {}
        for place, (path, _) in functions.items():
            by_path.setdefault(path, []).append(place)
        for one in similar:
            for path, lines in added.get(one.commit, {}).items():
                wanted = frozenset(lines)
                for place in by_path.get(path, ()):
                    if common := len(wanted & functions[place][1]):
                        signal.values[place] += one.score**4 * common / len(wanted)
                        signal.why.setdefault(place, f"has lines added by {one.commit[:7]} {one.subject[:60]!r}")
        signal.values = normalise(signal.values**0.5)
        return signal


def _combine_commits(
    commits: Sequence[PastCommit],
    changed: Mapping[str, Sequence[int]],
    files: int,
    worth: Callable[[PastCommit], float],
    reason: str,
) -> Signal:
    """Return a signal that divides each commit's value (`worth`) among the files that it changed."""
    signal = Signal.none(files)
    for one in commits:
        its_files = changed.get(one.commit, ())
        for file in its_files:
            signal.values[file] += worth(one) / len(its_files)
            signal.why.setdefault(file, f"{reason}: {one.commit[:7]} {one.subject[:60]!r}")
    signal.values = normalise(signal.values**0.5)
    return signal


MOST_ITEMS, MOST_ABOUT = 40, 3
"""Maximum number of items that are made from messages, and of commits per item."""


class Messages(Protocol):
    """History queries that this module uses; see `aci/history/commit_search.py`."""

    def find_named(self, ids: Sequence[str], numbers: Sequence[int]) -> list[PastCommit]: ...

    def references(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...

    def messages(self, commits: Sequence[str]) -> dict[str, tuple[str, str]]: ...


def related_numbers(history: Messages, known: Sequence[PastCommit], mentioned: Sequence[int]) -> list[int]:
    """Return the numbers that the issue mentions, then those in the messages of these commits, at most MOST_ITEMS."""
    references = history.references([one.commit for one in known])
    numbers = [int(number) for one in references.values() for number in one["numbers"]]
    return list(dict.fromkeys([*mentioned, *numbers]))[:MOST_ITEMS]


def commits_about(history: Messages, number: int) -> list[PastCommit]:
    """Return the commits about an issue or pull request, without those that only mention it beside others."""
    return [one for one in history.find_named((), (number,)) if one.score == 1.0][:MOST_ABOUT]


def items_from_messages(history: Messages, numbers: Sequence[int]) -> tuple[PastItem, ...]:
    """Return the items with these numbers that commits are about; a merge's message has a pull request's title and
    text."""
    about = {number: [one.commit for one in commits_about(history, number)] for number in numbers}
    messages = history.messages(list(dict.fromkeys(id for ids in about.values() for id in ids)))
    items = []
    for number, ids in about.items():
        if found := [messages[id] for id in ids if id in messages]:
            items.append(PastItem(number, found[0][0], "\n\n".join(text for _, text in found)))
    return tuple(items)


def item_similarities(terms: Mapping[str, float], items: Sequence[PastItem]) -> dict[int, float]:
    """Return the cosine of the weighted terms of the issue and of each item, by number, relative to the best item."""
    length = math.hypot(*terms.values())
    found = {}
    for item in items:
        own = weigh_terms(Mentions(title=count_terms(item.title), prose=count_terms(item.text)))
        product = sum(weight * terms.get(term, 0.0) for term, weight in own.items())
        found[item.number] = product / (length * math.hypot(*own.values())) if product else 0.0
    best = max(found.values(), default=0.0)
    return {number: score / best for number, score in found.items() if score > 0}
