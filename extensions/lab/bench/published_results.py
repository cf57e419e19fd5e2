"""Published figures of the same instances, from a copy of the leaderboard's repository (`SWE-bench/experiments`).

A submission is a folder `evaluation/<set>/<name>/` with `results/results.json`, whose key `resolved` lists the ids of
the instances that it resolves. Names and files are untrusted.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trajectories.errors import UsageError
from trajectories.file_limits import MOST_CONFIG, check_values, read_limited

RESULTS = Path("results") / "results.json"
MAX_SUBMISSIONS = 5_000


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """How many instances of a sample a submission resolves, as its authors published."""

    name: str
    resolved: int


def published_results(folder: Path, leaderboard: str, sample: Collection[str]) -> list[PublishedResult]:
    """Return the results of the submissions for these instances, best first; files in another form are left out.

    `folder` holds submissions, or is a copy of the repository, in which `leaderboard` is the folder of the set. Raises
    UsageError if there is no submission, or none that resolves any of the instances.
    """
    places = [folder, *((folder / "evaluation" / leaderboard, folder / leaderboard) if leaderboard else ())]
    wanted, found = set(sample), list[PublishedResult]()
    for place in places:
        with suppress(OSError):
            names = sorted(path.name for path in place.iterdir() if (path / RESULTS).is_file())
            for name in names[:MAX_SUBMISSIONS]:
                if (resolved := _resolved(place / name / RESULTS)) is not None:
                    found.append(PublishedResult(name, len(wanted & resolved)))
        if found:
            break
    if not any(one.resolved for one in found):
        what = f"{folder} holds no submission that resolves an instance of this sample."
        raise UsageError(what, "Give a copy of SWE-bench/experiments, or a folder of it such as evaluation/verified.")
    return sorted(found, key=lambda one: (-one.resolved, one.name))


def _resolved(path: Path) -> frozenset[str] | None:
    """Return the ids that a submission resolves; None for a file in another form."""
    try:
        data = read_limited(path, MOST_CONFIG)
        check_values(data, str(path))
        ids = json.loads(data)["resolved"]
        return frozenset(name for name in ids if isinstance(name, str)) if isinstance(ids, list) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError):
        return None
