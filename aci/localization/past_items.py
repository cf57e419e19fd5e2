"""Earlier issues and pull requests as nodes of the issue graph: their texts, and how similar these are to the issue.

The texts are those that the front end read from GitHub as of the base's date, or the messages of the commits
about each number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from aci.history.commit_search import PastCommit
from aci.issue_text.issue_mentions import Mentions, count_terms
from aci.localization.bm25 import weigh_terms
from trajectories.records import PastItem

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
