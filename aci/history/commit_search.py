"""What the commits before a base say about an issue: never anything later than the base.

Messages are indexed once, and again only what is new; of the few commits that matter, the changes are read.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aci.cache import Cache, Damaged
from aci.history_git import Commits
from trajectories.plumbing import GitFailed

if TYPE_CHECKING:
    from aci.history_index import Base, Numbers, Scores

K1, B = 1.5, 0.75
MOST_TERMS = 300
MOST_NAMED = 50
RECENT = 4_000
IN_ONE_QUESTION = 500
LONG = 1_000

_ID = re.compile(r"[0-9a-f]{7,40}")

Answer = TypeVar("Answer")
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Past:
    """A commit before the base. `score` is relative to the best of the answer, `age` the number of the base's ancestors
    that were made after it, the base included."""

    commit: str
    score: float
    subject: str
    age: int


@dataclass(frozen=True, slots=True)
class Told:
    """What messages say of a file: `score` is relative to the best of the answer, `terms` are the weightiest."""

    score: float
    terms: tuple[str, ...]


class History:
    """The ancestors of one base commit, itself included. Safe for threads and processes.

    Empty where the repository does not have the commit. Raises WorkspaceError where the cache cannot be written.
    """

    def __init__(self, commits: Commits, commit: str, cache: Cache) -> None:
        self._commits, self._commit, self._cache = commits, commit, cache
        self._base: Base | None = None

    @staticmethod
    def open(git_dir: Path, commit: str, cache: Path | None) -> History:
        """What `git_dir` knows before `commit`, a whole id. `cache` is the folder where it is kept, if anywhere."""
        from aci.history_index import opened

        return History(Commits(git_dir), commit, opened(cache))

    def close(self) -> None:
        self._cache.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many commits there are."""
        return self._ask(lambda base: int(base.ancestors.sum()))

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[Past]:
        """The commits whose messages are most like a text of weighted terms, by BM25, the best first."""
        import numpy as np

        from aci.history_index import postings

        def best(base: Base) -> list[Past]:
            commits = int(base.ancestors.sum())
            usual = base.lengths[base.ancestors].sum() / max(commits, 1) or 1.0
            scores = np.zeros(len(base.ancestors))
            for term, found, counts in postings(self._cache, base, _heaviest(terms)):
                rarity = np.log1p((commits - len(found) + 0.5) / (len(found) + 0.5))
                damped = counts + K1 * (1 - B + B * base.lengths[found] / usual)
                scores[found] += terms[term] * rarity * counts * (K1 + 1) / damped
            return self._past(base, scores, most)

        return self._ask(best)

    def named(self, ids: Iterable[str], numbers: Iterable[int]) -> list[Past]:
        """The commits whose id begins so, or that name such an issue or pull request (`#12`, `gh-12`, a link to it).

        One that only mentions a number has half the score of one that is about it.
        """
        import numpy as np

        from aci.history_index import postings
        from aci.history_messages import CLOSING

        wanted = [id.lower() for id in ids if _ID.fullmatch(id.lower())]
        issues = [f"#{number}" for number in numbers]

        def find(base: Base) -> list[Past]:
            scores = np.zeros(len(base.ancestors))
            for _, found, counts in postings(self._cache, base, issues):
                scores[found] = np.maximum(scores[found], counts / CLOSING)
            for id in wanted:
                scores[_beginning(base, id)] = 1.0
            return self._past(base, scores, MOST_NAMED)

        return self._ask(find)

    def told(self, terms: Mapping[str, float], present: Collection[str]) -> dict[str, Told]:
        """Files of `present` for which the messages of the commits that changed them are like a text.

        Those messages are a file's document, each shared by the files that its commit changed; scored by BM25.
        Merges tell nothing, as their commits do.
        """
        import numpy as np

        from aci.history_changes import known
        from aci.history_index import postings
        from aci.history_told import Documents

        def find(base: Base) -> dict[str, Told]:
            changes = known(self._cache, base.family, len(base.ancestors))
            documents = Documents(changes, np.flatnonzero(base.ancestors), base.lengths, present)
            said = {term: (found, counts) for term, found, counts in postings(self._cache, base, _heaviest(terms))}
            return documents.scores(terms, said)

        return self._ask(find)

    def touched(self, commits: Sequence[str], present: Collection[str] | None = None) -> dict[str, tuple[str, ...]]:
        """The files that each of these commits changed against its first parent; none for one that changed over 100.

        With `present`, the base's paths, only files that are there, moved ones under the path they have now.
        What the repository lacks (a shallow or partial clone) is left out, and so is what is no ancestor.
        """
        return self._ask(lambda base: self._touched(_ancestors(base, commits), present))

    def added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """The lines that each of these commits added to each file (by the path it had), stripped, without the shortest.

        Left out as by `touched`.
        """

        def find(base: Base) -> dict[str, dict[str, tuple[str, ...]]]:
            small = [id for id, paths in self._touched(_ancestors(base, commits), None).items() if paths]
            return self._recalled("added", small, self._commits.added)

        return self._ask(find)

    def functions(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """The dotted names of the functions that each of these commits changed, by file (by the path it had).

        Left out as by `touched`; none for tests, and for one that changed over 20 files of source.
        """
        from aci.history_functions import functions

        def find(base: Base) -> dict[str, dict[str, tuple[str, ...]]]:
            small = [id for id, paths in self._touched(_ancestors(base, commits), None).items() if paths]
            return self._recalled("functions", small, lambda ids: functions(self._commits, ids))

        return self._ask(find)

    def said(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """What the message of each of these commits names: `numbers` of issues and pull requests, `names` in code."""
        from aci.history_functions import said

        return self._ask(
            lambda base: self._recalled("said", _ancestors(base, commits), lambda ids: said(self._commits, ids))
        )

    def diff(self, commit: str, paths: Sequence[str]) -> str:
        """What a commit changed in these paths (as it had them), as a unified diff; "" for what is no ancestor."""
        return self._ask(lambda base: self._commits.diff(commit, paths) if _ancestors(base, [commit]) else "")

    def together(self, paths: Sequence[str], present: Collection[str], most: int = 10) -> dict[str, dict[str, float]]:
        """For each of these paths the files of `present` that changed with it in the newest 4,000 commits, best first.

        Each with its share of the path's changes, 0 to 1. Files count under the names they had.
        """
        from aci.history_index import newest
        from aci.history_paths import together

        changes = self._ask(lambda base: self._recalled("touched", newest(base, RECENT), self._commits.touched))
        here = set(present)
        return together(([path for path in one if path in here] for one in changes.values()), paths, most)

    def _touched(self, commits: Sequence[str], present: Collection[str] | None) -> dict[str, tuple[str, ...]]:
        from aci.history_paths import moved

        changes = self._recalled("touched", commits, self._commits.touched)
        if present is None:
            return changes
        here = set(present)
        now = moved({path for paths in changes.values() for path in paths}, here)
        return {
            id: tuple(dict.fromkeys(now.get(path, path) for path in paths if path in here or path in now))
            for id, paths in changes.items()
        }

    def _recalled(
        self, kind: str, commits: Sequence[str], find: Callable[[Sequence[str]], dict[str, Said]]
    ) -> dict[str, Said]:
        """From the cache, and what is not there from the repository."""
        found: dict[str, Said] = {}
        for first in range(0, len(commits), IN_ONE_QUESTION):
            some = commits[first : first + IN_ONE_QUESTION]
            marks = ", ".join("?" * len(some))
            rows = self._cache.read(f"SELECT id, said FROM changes WHERE kind = ? AND id IN ({marks})", (kind, *some))
            found |= {id: _unpacked(said) for id, said in rows}
        fresh = find([id for id in commits if id not in found])
        if fresh:
            packed = [(id, kind, _packed(said)) for id, said in fresh.items()]
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

        return self._cache.mended(answer)

    def _open(self) -> Base:
        from aci.history_index import NOTHING, known, learn

        try:
            base = known(self._cache, self._commit, self._commits.boundary)
            return base or learn(self._cache, self._commits, self._commit) or NOTHING
        except GitFailed:  # a history with holes
            return NOTHING

    def _past(self, base: Base, scores: Scores, most: int) -> list[Past]:
        """The best of all commits; of equal ones the newer first, whatever the order they were read in."""
        import numpy as np

        from aci.history_index import subjects

        found = np.flatnonzero(scores)
        if len(found) > most > 0:
            found = found[scores[found] >= np.partition(scores[found], -most)[-most]]
        times = np.sort(base.times[base.ancestors])
        ages = len(times) - np.searchsorted(times, base.times[found], side="right")
        numbers = found.tolist()
        columns = (-scores[found]).tolist(), ages.tolist(), map(base.id, numbers), numbers
        ranked = sorted(zip(*columns, strict=True))[:most]
        said = subjects(self._cache, base, [number for *_, number in ranked])
        return [
            Past(id, round(score / ranked[0][0], 6), said.get(number, ""), age) for score, age, id, number in ranked
        ]


def _heaviest(terms: Mapping[str, float]) -> list[str]:
    return sorted((term for term in terms if terms[term] > 0), key=lambda term: (-terms[term], term))[:MOST_TERMS]


def _beginning(base: Base, id: str) -> Numbers:
    """The numbers of the ancestors whose ids begin so."""
    import numpy as np

    heads = np.frombuffer(base.ids, ">u4")[::5]
    low, high = int(id[:7] + "0", 16), int(id[:7] + "f", 16)
    near = np.flatnonzero(base.ancestors & (heads >= low) & (heads <= high))
    return np.array([number for number in near if base.id(int(number)).startswith(id)], np.int64)


def _ancestors(base: Base, commits: Sequence[str]) -> list[str]:
    """Those of these ids that are ancestors', each once."""
    whole = (id for id in dict.fromkeys(commits) if len(id) == 40 and _ID.fullmatch(id))
    return [id for id in whole if len(_beginning(base, id))]


def _packed(said: Any) -> str | bytes:
    """What is short stays as it is: thousands are read at once."""
    text = json.dumps(said)
    return text if len(text) < LONG else zlib.compress(text.encode(), 1)


def _unpacked(said: str | bytes) -> Any:
    try:
        return _frozen(json.loads(said if isinstance(said, str) else zlib.decompress(said)))
    except (ValueError, zlib.error) as error:
        raise Damaged(str(error)) from error


def _frozen(said: Any) -> Any:
    return tuple(said) if isinstance(said, list) else {path: tuple(lines) for path, lines in said.items()}
