"""Published figures of the same instances, from a copy of the leaderboard's repository (`SWE-bench/experiments`).

A submission is a folder `evaluation/<set>/<name>/` with `results/results.json`, whose key `resolved` lists the ids of
the instances that it resolves. Names and files are untrusted.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from trajectories.errors import UsageError
from trajectories.file_limits import MOST_CONFIG, check_values, read_limited

RESULTS = Path("results") / "results.json"
MAX_SUBMISSIONS = 5_000


def published_results(folder: Path, leaderboard: str, sample: Collection[str]) -> dict[str, frozenset[str]]:
    """Return which instances of the sample each submission resolves, as its authors published, by its name; files in
    another form are left out.

    `folder` holds submissions, or is a copy of the repository, in which `leaderboard` is the folder of the set. Raises
    UsageError if there is no submission, or none that resolves any of the instances.
    """
    places = [folder, *((folder / "evaluation" / leaderboard, folder / leaderboard) if leaderboard else ())]
    for place in places:
        found: dict[str, frozenset[str]] = {}
        with suppress(OSError):
            names = sorted(path.name for path in place.iterdir() if (path / RESULTS).is_file())
            for name in names[:MAX_SUBMISSIONS]:
                if (resolved := _resolved(place / name / RESULTS)) is not None:
                    found[name] = resolved.intersection(sample)
        if any(found.values()):
            return found
    what = f"{folder} holds no submission that resolves an instance of this sample."
    raise UsageError(what, "Give a copy of SWE-bench/experiments, or a folder of it such as evaluation/verified.")


def _resolved(path: Path) -> frozenset[str] | None:
    """Return the ids that a submission resolves; None for a file in another form."""
    try:
        data = read_limited(path, MOST_CONFIG)
        check_values(data, str(path))
        ids = json.loads(data)["resolved"]
        return frozenset(name for name in ids if isinstance(name, str)) if isinstance(ids, list) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError):
        return None
