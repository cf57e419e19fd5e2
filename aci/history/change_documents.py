"""BM25 ranking of files, each represented by the messages of the commits that changed it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from aci.history.array_types import Numbers, Scores
from aci.history.commit_files import Changes
from aci.history.file_renames import unique_file_names

K1, B = 1.2, 0.6
MOST_TERMS = 80
MOST_FILES = 20
"""Commits that changed more files than this are ignored."""
BEST_TERMS = 4
"""Maximum number of terms that a result lists."""


@dataclass(frozen=True, slots=True)
class FileHistory:
    """A file whose commit messages match a query; `score` is relative to the best result, `terms` are the matching
    terms that contribute most."""

    score: float
    terms: tuple[str, ...]


class FileDocuments:
    """Commit messages as documents of the files in `present`; a message's term counts are divided among the files that
    the commit changed."""

    def __init__(self, changes: Changes, ancestors: Numbers, lengths: Numbers, present: Collection[str]) -> None:
        """`ancestors` holds the numbers of the commits to use, in ascending order; `lengths` holds the number of words
        in each commit's message."""
        self.paths = sorted(present)
        files = _current_files(changes.paths, self.paths)[changes.files]
        commits = np.repeat(np.arange(len(changes.counts)), changes.counts)
        counts = np.bincount(commits[files >= 0], minlength=len(changes.counts))
        used = np.zeros(len(counts), bool)
        used[ancestors] = True
        used &= (counts > 0) & (counts <= MOST_FILES)
        kept = (files >= 0) & used[commits]
        self._files = files[kept]
        self._counts = np.where(used, counts, 0)
        self._starts = np.cumsum(self._counts) - self._counts
        self._commits = int(used.sum())
        self._lengths = self._divided(np.flatnonzero(used), lengths[used])

    def scores(
        self, terms: Mapping[str, float], postings: Mapping[str, tuple[Numbers, Numbers]]
    ) -> dict[str, FileHistory]:
        """Return scores for the files whose commit messages contain any of these weighted terms.

        `postings` maps each term to the commits whose messages contain it and the number of occurrences in each.
        """
        documents = np.count_nonzero(self._lengths) or 1
        damping = K1 * (1 - B + B * self._lengths * documents / (self._lengths.sum() or 1.0))
        total = np.zeros(len(self.paths))
        parts: dict[str, Scores] = {}
        for term in self._heaviest(terms, postings):
            counts = self._divided(*postings[term])
            holders = np.count_nonzero(counts)
            rarity = math.log1p((documents - holders + 0.5) / (holders + 0.5))
            parts[term] = terms[term] * rarity * counts * (K1 + 1) / (counts + damping)
            total += parts[term]
        best = total.max(initial=0.0)
        return {
            self.paths[file]: FileHistory(float(total[file] / best), _best_terms(parts, file))
            for file in np.flatnonzero(total).tolist()
        }

    def _heaviest(self, terms: Mapping[str, float], postings: Mapping[str, tuple[Numbers, Numbers]]) -> list[str]:
        """Return the terms with the greatest weights; terms that occur in fewer commits weigh more."""
        weight = {
            term: terms[term] * math.log1p(self._commits / (1 + len(found))) for term, (found, _) in postings.items()
        }
        return sorted(weight, key=lambda term: (-weight[term], term))[:MOST_TERMS]

    def _divided(self, commits: Numbers, values: Numbers) -> Scores:
        """Return, for each file, the sum of these commits' values; each value is divided among the files that the
        commit changed."""
        counts = self._counts[commits]
        first = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(self._starts[commits] - first, counts)
        shares = np.repeat(values / np.maximum(counts, 1), counts)
        return np.bincount(self._files[places], shares, len(self.paths)).astype(np.float64)


def _current_files(paths: list[str], present: list[str]) -> Numbers:
    """Return the index in `present` of each path or, if it is missing there, of the only file with the same name; -1 if
    there is none."""
    number = {path: place for place, path in enumerate(present)}
    namesake = unique_file_names(present)
    found = [number.get(path, number.get(namesake.get(path.rpartition("/")[2], ""), -1)) for path in paths]
    return np.array(found, np.int64)


def _best_terms(parts: Mapping[str, Scores], file: int) -> tuple[str, ...]:
    found = [term for term in parts if parts[term][file] > 0]
    return tuple(sorted(found, key=lambda term: (-parts[term][file], term))[:BEST_TERMS])
