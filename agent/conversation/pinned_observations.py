"""Pinned observations: observations that are kept in full, however old, because the current work is based on them."""

from __future__ import annotations

import posixpath
from collections import defaultdict

from agent.conversation.observation_stubs import result_of
from trajectories.records import Action, Observation

LONGEST_MARK = 200


class PinnedObservations:
    """The latest view of each edited place, and the output of the last failing test run.

    A place is identified by a file and the first line of the text that an edit replaced. A view shows a place if it
    contains that line or the first line of the new text.
    """

    def __init__(self) -> None:
        self._views: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._places: dict[str, dict[str, str]] = defaultdict(dict)
        self._latest: dict[tuple[str, str], int] = {}
        self._failing: int | None = None

    @property
    def indexes(self) -> frozenset[int]:
        """The indexes of the pinned observations, as passed to `add`."""
        failing = () if self._failing is None else (self._failing,)
        return frozenset((*self._latest.values(), *failing))

    def add(self, index: int, action: Action, observation: Observation) -> None:
        """Add the next observation."""
        path = posixpath.normpath(str(action.arguments.get("path", "")))
        match result_of(action), observation.ok:
            case "file", True:
                self._view(index, path, observation.text)
            case "diff", True:
                self._edit(path, str(action.arguments.get("old", "")), str(action.arguments.get("new", "")))
            case "tests", False:
                self._failing = index

    def _view(self, index: int, path: str, text: str) -> None:
        self._views[path].append((index, text))
        for old, new in self._places[path].items():
            if _shows(text, old, new):
                self._latest[path, old] = index

    def _edit(self, path: str, old: str, new: str) -> None:
        mark, other = _first_line(old), _first_line(new)
        if not mark:
            return
        self._places[path][mark] = other
        shown = (index for index, text in reversed(self._views[path]) if _shows(text, mark, other))
        if (index := next(shown, None)) is not None:
            self._latest[path, mark] = index


def _shows(text: str, old: str, new: str) -> bool:
    return old in text or (new != "" and new in text)


def _first_line(text: str) -> str:
    return next((line.strip()[:LONGEST_MARK] for line in text.split("\n") if line.strip()), "")
