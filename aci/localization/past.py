"""What the commits before say: where earlier changes like the one the issue asks for were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from aci.history import Past
from aci.localization.signals import Signal, share
from aci.mentions import Mentions

MOST_SIMILAR = 100
MOST_FILES = 60
"""A commit that changed more says nothing of where."""


class Commits(Protocol):
    """What is asked of a history; see `aci/history.py`."""

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[Past]: ...

    def named(self, ids: Sequence[str], numbers: Sequence[int]) -> list[Past]: ...

    def touched(self, commits: Sequence[str]) -> dict[str, tuple[str, ...]]: ...


def past(commits: Commits, query: Mapping[str, float], said: Mentions, number: Mapping[str, int]) -> dict[str, Signal]:
    """Of the files with these numbers: changed by commits like the issue, and by commits that the issue names."""
    like = commits.similar(query, MOST_SIMILAR)
    named = commits.named(said.shas, said.numbers)
    touched = commits.touched([one.commit for one in (*like, *named)])
    changed = {
        id: [number[path] for path in paths if path in number]
        for id, paths in touched.items()
        if len(paths) <= MOST_FILES
    }
    return {
        "past": _gathered(like, changed, len(number), lambda one: one.score**4, "commits like this change it"),
        "commit": _gathered(named, changed, len(number), lambda one: one.score, "a commit that the issue names"),
    }


def _gathered(
    commits: Sequence[Past],
    changed: Mapping[str, Sequence[int]],
    files: int,
    worth: Callable[[Past], float],
    reason: str,
) -> Signal:
    """The worth of all commits that changed a file, each shared by the files it changed."""
    signal = Signal.none(files)
    for one in commits:
        ours = changed.get(one.commit, ())
        for file in ours:
            signal.values[file] += worth(one) / len(ours)
            signal.why.setdefault(file, f"{reason}: {one.commit[:7]} {one.subject[:60]!r}")
    signal.values = share(signal.values**0.5)
    return signal
