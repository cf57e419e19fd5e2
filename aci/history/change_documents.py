"""Files as documents of what was said when they were changed, scored by BM25."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from aci.history import Told
from aci.history_changes import Changes
from aci.history_index import Numbers, Scores
from aci.history_paths import only_namesakes

K1, B = 1.2, 0.6
MOST_TERMS = 80
MOST_FILES = 20
"""A commit that changed more tells of none of them."""
NAMED = 4


class Documents:
    """What commits tell of the files of `present` that they changed. A message is shared by its files."""

    def __init__(self, changes: Changes, ancestors: Numbers, lengths: Numbers, present: Collection[str]) -> None:
        """`ancestors` are the commits that count, ascending; `lengths` the words that each commit of all says."""
        self.paths = sorted(present)
        now = _now(changes.paths, self.paths)[changes.files]
        of = np.repeat(np.arange(len(changes.counts)), changes.counts)
        counts = np.bincount(of[now >= 0], minlength=len(changes.counts))
        telling = np.zeros(len(counts), bool)
        telling[ancestors] = True
        telling &= (counts > 0) & (counts <= MOST_FILES)
        kept = (now >= 0) & telling[of]
        self._files = now[kept]
        self._counts = np.where(telling, counts, 0)
        self._starts = np.cumsum(self._counts) - self._counts
        self._commits = int(telling.sum())
        self._lengths = self._shared(np.flatnonzero(telling), lengths[telling])

    def scores(self, terms: Mapping[str, float], said: Mapping[str, tuple[Numbers, Numbers]]) -> dict[str, Told]:
        """Each file of which some of these weighted `terms` are told. `said`: by which commits, and how often."""
        told = np.count_nonzero(self._lengths) or 1
        damping = K1 * (1 - B + B * self._lengths * told / (self._lengths.sum() or 1.0))
        total = np.zeros(len(self.paths))
        parts: dict[str, Scores] = {}
        for term in self._weightiest(terms, said):
            counts = self._shared(*said[term])
            holders = np.count_nonzero(counts)
            rarity = math.log1p((told - holders + 0.5) / (holders + 0.5))
            parts[term] = terms[term] * rarity * counts * (K1 + 1) / (counts + damping)
            total += parts[term]
        best = total.max(initial=0.0)
        return {
            self.paths[file]: Told(float(total[file] / best), _heaviest(parts, file))
            for file in np.flatnonzero(total).tolist()
        }

    def _weightiest(self, terms: Mapping[str, float], said: Mapping[str, tuple[Numbers, Numbers]]) -> list[str]:
        """By how few commits say them."""
        weight = {term: terms[term] * math.log1p(self._commits / (1 + len(found))) for term, (found, _) in said.items()}
        return sorted(weight, key=lambda term: (-weight[term], term))[:MOST_TERMS]

    def _shared(self, commits: Numbers, values: Numbers) -> Scores:
        """What these commits have, shared by their files."""
        counts = self._counts[commits]
        first = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(self._starts[commits] - first, counts)
        shares = np.repeat(values / np.maximum(counts, 1), counts)
        return np.bincount(self._files[places], shares, len(self.paths)).astype(np.float64)


def _now(paths: list[str], present: list[str]) -> Numbers:
    """The place in `present` of each path, or of the only file of its name there; -1 for none."""
    number = {path: place for place, path in enumerate(present)}
    namesake = only_namesakes(present)
    found = [number.get(path, number.get(namesake.get(path.rpartition("/")[2], ""), -1)) for path in paths]
    return np.array(found, np.int64)


def _heaviest(parts: Mapping[str, Scores], file: int) -> tuple[str, ...]:
    said = [term for term in parts if parts[term][file] > 0]
    return tuple(sorted(said, key=lambda term: (-parts[term][file], term))[:NAMED])
