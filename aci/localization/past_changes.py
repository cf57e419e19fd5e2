"""What the commits before say: where earlier changes like the one the issue asks for were made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from aci.history import Past, Told
from aci.localization.signals import Signal, never_an_answer, share
from aci.mentions import Mentions

MOST_SIMILAR = 100
MOST_FILES = 60
"""A commit that changed more says nothing of where."""
READ_COMMITS = 15
"""Of so many the lines that they added are looked for."""


class Commits(Protocol):
    """What is asked of a history; see `aci/history.py`."""

    def similar(self, terms: Mapping[str, float], most: int = 30) -> list[Past]: ...

    def told(self, terms: Mapping[str, float], present: Collection[str]) -> dict[str, Told]: ...

    def named(self, ids: Sequence[str], numbers: Sequence[int]) -> list[Past]: ...

    def touched(self, commits: Sequence[str], present: Collection[str] | None = None) -> dict[str, tuple[str, ...]]: ...

    def added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]: ...


class Earlier:
    """The commits that are like an issue, those that it names, and files of which they tell alike."""

    def __init__(self, commits: Commits | None, query: Mapping[str, float], said: Mentions) -> None:
        self._commits, self._query = commits, query
        self._like = commits.similar(query, MOST_SIMILAR) if commits else []
        self._named = commits.named(said.shas, said.numbers) if commits else []

    def files(self, number: Mapping[str, int]) -> dict[str, Signal]:
        """Of the files with these numbers: changed by commits like the issue, by commits that the issue names, and told
        of in the issue's words by all that changed them."""
        commits = [one.commit for one in (*self._like, *self._named)]
        touched = self._commits.touched(commits, number) if self._commits else {}
        changed = {
            id: [number[path] for path in paths if path in number]
            for id, paths in touched.items()
            if len(paths) <= MOST_FILES
        }
        return {
            "past": _gathered(self._like, changed, len(number), lambda one: one.score**4, "changed by commits like it"),
            "commit": _gathered(
                self._named, changed, len(number), lambda one: one.score, "changed by a commit it names"
            ),
            "told": self._told(number),
        }

    def _told(self, number: Mapping[str, int]) -> Signal:
        signal = Signal.none(len(number))
        answers = [path for path in number if not never_an_answer(path)]
        for path, told in (self._commits.told(self._query, answers) if self._commits else {}).items():
            signal.raise_to(number[path], told.score**0.5, f"commits to it say: {', '.join(told.terms)}")
        return signal

    def lines(self, functions: Mapping[int, tuple[str, frozenset[str]]], candidates: int) -> Signal:
        """Of functions (path and stripped lines of each): having lines that commits like the issue added."""
        signal = Signal.none(candidates)
        like = self._like[:READ_COMMITS]
        added = self._commits.added([one.commit for one in like]) if self._commits else {}
        by_path: dict[str, list[int]] = {}
        for place, (path, _) in functions.items():
            by_path.setdefault(path, []).append(place)
        for one in like:
            for path, lines in added.get(one.commit, {}).items():
                wanted = frozenset(lines)
                for place in by_path.get(path, ()):
                    if common := len(wanted & functions[place][1]):
                        signal.values[place] += one.score**4 * common / len(wanted)
                        signal.why.setdefault(place, f"has lines of {one.commit[:7]} {one.subject[:60]!r}")
        signal.values = share(signal.values**0.5)
        return signal


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
