"""Search in the commits before a base; nothing later than the base is ever used.

Each message is indexed once; later runs index only new messages. Changed lines and functions are read only for the few
commits that a query asks for.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from aci.history.array_types import Numbers, Scores
from aci.history.commit_files import Changes, unique_file_names
from aci.history.git_log import GitLog
from aci.repository.disk_cache import Cache, Damaged
from trajectories.git_store.git_commands import GitFailed

if TYPE_CHECKING:
    from aci.history.commit_index import Base


MOST_FILE_TERMS = 80
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
        return sorted(weight, key=lambda term: (-weight[term], term))[:MOST_FILE_TERMS]

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


K1, B = 1.5, 0.75
MOST_TERMS = 300
MOST_NAMED = 50
RECENT = 4_000
IN_ONE_QUESTION = 500
LONG = 1_000

_ID = re.compile(r"[0-9a-f]{7,40}")

Answer = TypeVar("Answer")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class PastCommit:
    """A commit before the base.

    `score` is relative to the best result; `age` is the number of commits made after this one, up to and including the
    base.
    """

    commit: str
    score: float
    subject: str
    age: int


class History:
    """The ancestors of one base commit, including itself. Safe to use from several threads and processes.

    The history is empty if the repository does not have the commit. Raises WorkspaceError if the cache cannot be
    written.
    """

    def __init__(self, commits: GitLog, commit: str, cache: Cache) -> None:
        self._commits, self._commit, self._cache = commits, commit, cache
        self._base: Base | None = None

    @staticmethod
    def open(git_dir: Path, commit: str, cache: Path | None) -> History:
        """Return the history in `git_dir` up to `commit`, a full id. `cache` is the folder of the index; if it is None,
        the index is kept in memory."""
        from aci.history.commit_index import open_index

        return History(GitLog(git_dir), commit, open_index(cache))

    def close(self) -> None:
        self._cache.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of commits."""
        return self._ask(lambda base: int(base.ancestors.sum()))

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[PastCommit]:
        """Return the commits whose messages are most similar to a set of weighted terms, by BM25, best first."""
        import numpy as np

        from aci.history.commit_index import load_postings

        def best(base: Base) -> list[PastCommit]:
            commits = int(base.ancestors.sum())
            mean_length = base.lengths[base.ancestors].sum() / max(commits, 1) or 1.0
            scores = np.zeros(len(base.ancestors))
            for term, found, counts in load_postings(self._cache, base, _heaviest(terms)):
                rarity = np.log1p((commits - len(found) + 0.5) / (len(found) + 0.5))
                damped = counts + K1 * (1 - B + B * base.lengths[found] / mean_length)
                scores[found] += terms[term] * rarity * counts * (K1 + 1) / damped
            return self._ranked_commits(base, scores, most)

        return self._ask(best)

    def find_named(self, ids: Iterable[str], numbers: Iterable[int]) -> list[PastCommit]:
        """Return the commits whose id starts with one of `ids`, or whose message mentions an issue or pull request in
        `numbers`.

        Messages mention a number as `#12`, as `gh-12` or in a link. A commit that only mentions a number gets half the
        score of a commit about that issue.
        """
        import numpy as np

        from aci.history.commit_index import load_postings
        from aci.history.git_log import CLOSING

        wanted = [id.lower() for id in ids if _ID.fullmatch(id.lower())]
        issues = [f"#{number}" for number in numbers]

        def find(base: Base) -> list[PastCommit]:
            scores = np.zeros(len(base.ancestors))
            for _, found, counts in load_postings(self._cache, base, issues):
                scores[found] = np.maximum(scores[found], counts / CLOSING)
            for id in wanted:
                scores[_numbers_with_prefix(base, id)] = 1.0
            return self._ranked_commits(base, scores, MOST_NAMED)

        return self._ask(find)

    def search_files(self, terms: Mapping[str, float], present: Collection[str]) -> dict[str, FileHistory]:
        """Return the files of `present` whose commit messages are similar to a set of weighted terms, by BM25.

        A file's document consists of the messages of the commits that changed it; each message's term counts are
        divided among the commit's files. Merges are ignored, since the merged commits are counted separately.
        """
        import numpy as np

        from aci.history.commit_files import load_changes
        from aci.history.commit_index import load_postings

        def find(base: Base) -> dict[str, FileHistory]:
            changes = load_changes(self._cache, base.family, len(base.ancestors))
            documents = FileDocuments(changes, np.flatnonzero(base.ancestors), base.lengths, present)
            by_term = {
                term: (found, counts) for term, found, counts in load_postings(self._cache, base, _heaviest(terms))
            }
            return documents.scores(terms, by_term)

        return self._ask(find)

    def touched(self, commits: Sequence[str], present: Collection[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Return the files that each commit changed against its first parent; a commit that changed more than 100 files
        gets an empty tuple.

        If `present` (the paths of the base) is given, only these files are returned; renamed files are returned under
        their current paths. Commits that are not ancestors, or that are missing in a shallow or partial clone, are left
        out.
        """
        return self._ask(lambda base: self._touched(_ancestors(base, commits), present))

    def added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the stripped lines that each commit added to each file, without short lines, by the file's path at
        that commit.

        Leaves out the same commits as `touched`.
        """

        def find(base: Base) -> dict[str, dict[str, tuple[str, ...]]]:
            small = [id for id, paths in self._touched(_ancestors(base, commits), None).items() if paths]
            return self._cached_changes("added", small, self._commits.added)

        return self._ask(find)

    def functions(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the dotted names of the functions that each commit changed, by the file's path at that commit.

        Leaves out tests, commits that changed more than 20 source files, and the commits that `touched` leaves out.
        """
        from aci.history.commit_index import changed_functions

        def find(base: Base) -> dict[str, dict[str, tuple[str, ...]]]:
            small = [id for id, paths in self._touched(_ancestors(base, commits), None).items() if paths]
            return self._cached_changes("functions", small, lambda ids: changed_functions(self._commits, ids))

        return self._ask(find)

    def references(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the references in each commit's message: `numbers` of issues and pull requests, and `names`
        (identifiers)."""
        from aci.history.commit_index import message_references

        return self._ask(
            lambda base: self._cached_changes(
                "said", _ancestors(base, commits), lambda ids: message_references(self._commits, ids)
            )
        )

    def messages(self, commits: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return the subject and the whole text of each commit's message; a merge's subject is the title of its pull
        request. Leaves out commits that are not ancestors."""
        from aci.history.git_log import LONGEST, parse_message

        def find(base: Base) -> dict[str, tuple[str, str]]:
            read = self._commits.read(_ancestors(base, commits))
            return {
                one.id: (parse_message(one.message).subject, one.message[:LONGEST].decode("utf-8", "replace"))
                for one in read
            }

        return self._ask(find)

    def diff(self, commit: str, paths: Sequence[str]) -> str:
        """Return a commit's unified diff for these paths, as named in that commit; "" if the commit is not an
        ancestor."""
        return self._ask(lambda base: self._commits.diff(commit, paths) if _ancestors(base, [commit]) else "")

    def together(self, paths: Sequence[str], present: Collection[str], most: int = 10) -> dict[str, dict[str, float]]:
        """Return the files in `present` that changed together with each of these paths in the newest 4,000 commits,
        best first.

        Each file comes with the weighted share of the path's commits that also changed it, from 0 to 1. Renames are not
        followed.
        """
        from aci.history.commit_files import changed_together
        from aci.history.commit_index import newest_commits

        changes = self._ask(
            lambda base: self._cached_changes("touched", newest_commits(base, RECENT), self._commits.touched)
        )
        here = set(present)
        return changed_together(([path for path in one if path in here] for one in changes.values()), paths, most)

    def newest_of(self, paths: Iterable[str], most: int) -> list[str]:
        """Return the newest of the last 4,000 commits that changed any of these paths, newest first; at most `most`."""
        from aci.history.commit_index import newest_commits

        def find(base: Base) -> list[str]:
            newest, wanted = newest_commits(base, RECENT), set(paths)
            changes = self._cached_changes("touched", newest, self._commits.touched)
            return [id for id in newest if not wanted.isdisjoint(changes.get(id, ()))][:most]

        return self._ask(find)

    def _touched(self, commits: Sequence[str], present: Collection[str] | None) -> dict[str, tuple[str, ...]]:
        from aci.history.commit_files import find_present_paths

        changes = self._cached_changes("touched", commits, self._commits.touched)
        if present is None:
            return changes
        here = set(present)
        now = find_present_paths({path for paths in changes.values() for path in paths}, here)
        return {
            id: tuple(dict.fromkeys(now.get(path, path) for path in paths if path in here or path in now))
            for id, paths in changes.items()
        }

    def _cached_changes(
        self, kind: str, commits: Sequence[str], find: Callable[[Sequence[str]], dict[str, Found]]
    ) -> dict[str, Found]:
        """Return the changes of these commits from the cache; read missing ones from the repository and store them."""
        found: dict[str, Found] = {}
        for first in range(0, len(commits), IN_ONE_QUESTION):
            some = commits[first : first + IN_ONE_QUESTION]
            marks = ", ".join("?" * len(some))
            rows = self._cache.read(f"SELECT id, said FROM changes WHERE kind = ? AND id IN ({marks})", (kind, *some))
            found |= {id: _unpacked(stored) for id, stored in rows}
        fresh = find([id for id in commits if id not in found])
        if fresh:
            packed = [(id, kind, _packed(value)) for id, value in fresh.items()]
            with self._cache.writing() as store:
                store.executemany("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", packed)
        found |= fresh
        return {id: found[id] for id in commits if id in found}

    def _ask(self, question: Callable[[Base], Answer]) -> Answer:
        def answer() -> Answer:
            try:
                self._base = self._base or self._open()
                return question(self._base)
            except Damaged:
                self._base = None
                raise

        return self._cache.run_repairing(answer)

    def _open(self) -> Base:
        from aci.history.commit_index import NO_BASE, index_base, load_base

        try:
            base = load_base(self._cache, self._commit, self._commits.boundary)
            return base or index_base(self._cache, self._commits, self._commit) or NO_BASE
        except GitFailed:  # the history is incomplete
            return NO_BASE

    def _ranked_commits(self, base: Base, scores: Scores, most: int) -> list[PastCommit]:
        """Return the commits with the best scores; among equal scores, newer commits come first, regardless of the
        order in which they were indexed."""
        import numpy as np

        from aci.history.commit_index import load_subjects

        found = np.flatnonzero(scores)
        if len(found) > most > 0:
            found = found[scores[found] >= np.partition(scores[found], -most)[-most]]
        times = np.sort(base.times[base.ancestors])
        ages = len(times) - np.searchsorted(times, base.times[found], side="right")
        numbers = found.tolist()
        columns = (-scores[found]).tolist(), ages.tolist(), map(base.id, numbers), numbers
        ranked = sorted(zip(*columns, strict=True))[:most]
        texts = load_subjects(self._cache, base, [number for *_, number in ranked])
        return [
            PastCommit(id, round(score / ranked[0][0], 6), texts.get(number, ""), age)
            for score, age, id, number in ranked
        ]


def _heaviest(terms: Mapping[str, float]) -> list[str]:
    return sorted((term for term in terms if terms[term] > 0), key=lambda term: (-terms[term], term))[:MOST_TERMS]


def _numbers_with_prefix(base: Base, id: str) -> Numbers:
    """Return the numbers of the ancestors whose ids start with this prefix."""
    import numpy as np

    heads = np.frombuffer(base.ids, ">u4")[::5]
    low, high = int(id[:7] + "0", 16), int(id[:7] + "f", 16)
    near = np.flatnonzero(base.ancestors & (heads >= low) & (heads <= high))
    return np.array([number for number in near if base.id(int(number)).startswith(id)], np.int64)


def _ancestors(base: Base, commits: Sequence[str]) -> list[str]:
    """Return the ids that belong to ancestors, without duplicates."""
    full = (id for id in dict.fromkeys(commits) if len(id) == 40 and _ID.fullmatch(id))
    return [id for id in full if len(_numbers_with_prefix(base, id))]


def _packed(value: Any) -> str | bytes:
    """Return a value as JSON, compressed if it is long; short values stay uncompressed because thousands of them are
    read at once."""
    text = json.dumps(value)
    return text if len(text) < LONG else zlib.compress(text.encode(), 1)


def _unpacked(stored: str | bytes) -> Any:
    try:
        return _frozen(json.loads(stored if isinstance(stored, str) else zlib.decompress(stored)))
    except (ValueError, zlib.error) as error:
        raise Damaged(str(error)) from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else {path: tuple(lines) for path, lines in value.items()}
