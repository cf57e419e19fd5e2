"""Files over time: where one that moved lies now, and which files change together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

MOST_AT_ONCE = 30
"""A commit that changes more files does not tie any two of them together."""
DOUBT = 3
"""Commits that are taken to have changed a file alone, so that one change in common is no proof."""


def moved(paths: Iterable[str], present: Collection[str]) -> dict[str, str]:
    """Where files that are no longer there lie now: at the path that ends most like theirs, if there is one such.

    A file of the same name in an unlike folder counts only where there is no other of that name.
    """
    gone = {path for path in paths if path not in present}
    if not gone:
        return {}
    named: dict[str, list[str]] = defaultdict(list)
    for path in present:
        named[path.rpartition("/")[2]].append(path)
    found = {path: _likest(path, named.get(path.rpartition("/")[2], ())) for path in gone}
    return {path: there for path, there in found.items() if there}


def only_namesakes(present: Iterable[str]) -> dict[str, str]:
    """The file of each name that only one has; of `__init__.py` none, which says nothing."""
    named: dict[str, list[str]] = defaultdict(list)
    for path in present:
        named[path.rpartition("/")[2]].append(path)
    return {name: paths[0] for name, paths in named.items() if len(paths) == 1 and name != "__init__.py"}


def _likest(path: str, candidates: Sequence[str]) -> str:
    parts = path.split("/")
    shared = {there: _in_common(parts, there.split("/")) for there in candidates}
    most = max(shared.values(), default=0)
    best = [there for there, common in shared.items() if common == most]
    certain = most > 1 or (len(candidates) == 1 and parts[-1] != "__init__.py")
    return best[0] if len(best) == 1 and certain else ""


def _in_common(parts: Sequence[str], others: Sequence[str]) -> int:
    """How many components two paths share at their ends."""
    common = 0
    for one, other in zip(reversed(parts), reversed(others), strict=False):
        if one != other:
            break
        common += 1
    return common


def together(changes: Iterable[Sequence[str]], paths: Iterable[str], most: int) -> dict[str, dict[str, float]]:
    """For each path the files that changed with it, best first, each with its share of the path's changes (0 to 1).

    `changes` are the files of one commit each. A commit counts for two files the less, the more files it changed.
    """
    wanted = set(paths)
    often: Counter[str] = Counter()
    shares: dict[str, defaultdict[str, float]] = {path: defaultdict(float) for path in wanted}
    for files in changes:
        touched = wanted.intersection(files) if len(files) <= MOST_AT_ONCE else ()
        for path in touched:
            often[path] += 1
            for other in files:
                if other != path:
                    shares[path][other] += 1 / (len(files) - 1)
    return {
        path: {other: round(share / (often[path] + DOUBT), 6) for other, share in _best(found, most)}
        for path, found in sorted(shares.items())
    }


def _best(shares: Mapping[str, float], most: int) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:most]
