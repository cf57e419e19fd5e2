"""Commit messages that are indexed together. Their terms are counted for all of them at once, which is much faster than
one by one."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

import numpy as np

from aci.history.array_types import Numbers
from aci.history.commit_terms import parse_message
from aci.history.git_log import Commit
from aci.issue_text.issue_mentions import split_identifier

TermPostings = tuple[str, Numbers, Numbers]
"""A term, the numbers of the commits whose messages contain it, and how often it occurs in each."""


class MessageBatch:
    """Commits with the words of their messages, in the order in which they were added."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.times: list[int] = []
        self.subjects: list[str] = []
        self.changed: dict[str, tuple[str, ...]] = {}
        """The files that each commit changed."""
        self._number: dict[str, int] = {}
        """A number for each distinct word."""
        self._words = array("I")
        self._sizes = array("I")
        """The number of words of each message."""
        self._issues: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """The messages that mention an issue, by their places in the batch, and how."""

    @property
    def size(self) -> int:
        """The number of words of all messages."""
        return len(self._words)

    def add(self, commit: Commit, changed: tuple[str, ...]) -> None:
        message = parse_message(commit.message)
        for number, kind in message.numbers.items():
            self._issues[f"#{number}"].append((len(self.ids), kind))
        known = self._number
        self._words.extend([known.setdefault(word, len(known)) for word in message.words])
        self._sizes.append(len(message.words))
        self.ids.append(commit.id)
        self.changed[commit.id] = changed
        self.times.append(commit.time)
        self.subjects.append(message.subject)

    def count_terms(self, numbers: Numbers, most: int) -> tuple[Iterator[TermPostings], Numbers]:
        """Return the postings of each term, in the order of the terms, and the number of terms of each message.

        `numbers` holds the number of each commit in ascending order, or -1 for a commit that is left out; `most` is the
        greatest count of a term in a message.
        """
        terms, term, place = self._occurrences()
        keys, counts = np.unique(term * len(self.ids) + place, return_counts=True)
        term, holders = np.divmod(keys, max(len(self.ids), 1))
        kept = numbers[holders] >= 0
        term, holders, counts = term[kept], numbers[holders[kept]], np.minimum(counts[kept], most)
        begins = np.searchsorted(term, np.arange(len(terms) + 1)).tolist()
        words = ((text, holders[a:b], counts[a:b]) for text, a, b in zip(terms, begins, begins[1:], strict=False))
        return chain(self._mentioned(numbers), (one for one in words if len(one[1]))), np.bincount(
            place, minlength=len(self.ids)
        )

    def _occurrences(self) -> tuple[list[str], Numbers, Numbers]:
        """Return the sorted terms, and the term and message of each occurrence of a term, as indexes."""
        parts = [split_identifier(word) for word in self._number]
        terms = sorted(set(chain.from_iterable(parts)))
        number = {term: place for place, term in enumerate(terms)}
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        flat = np.fromiter(map(number.__getitem__, chain.from_iterable(parts)), np.int64, int(sizes.sum()))
        words = np.array(self._words, np.int64)
        places = np.repeat(np.arange(len(self.ids)), np.array(self._sizes, np.int64))
        each = sizes[words]
        first = np.cumsum(sizes) - sizes
        at = np.repeat(first[words] - (np.cumsum(each) - each), each) + np.arange(int(each.sum()))
        return terms, flat[at], np.repeat(places, each)

    def _mentioned(self, numbers: Numbers) -> Iterator[TermPostings]:
        for issue, mentions in sorted(self._issues.items()):
            places, kinds = np.array(mentions, np.int64).T
            kept = numbers[places] >= 0
            if kept.any():
                yield issue, numbers[places[kept]], kinds[kept]
