"""Localization of an error log: the places that it names, the commits that may have caused the error, and the likely
places by its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aci.localization.issue_localization import (
    HistoryBase,
    LocalizationResult,
    localize_issue,
    query_tree_graph,
    text_of,
)
from trajectories.errors import UsageError
from trajectories.records import Issue

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.repository.file_blobs import Blobs
    from extensions.code_search.error_log import ErrorLog, LogPlace
    from extensions.code_search.suspect_commits import SuspectCommit

OF_TEST = 0.6
"""Factor for places in tests: a test that fails is named always."""
MOST_FILES = 3
"""Names of files that more files have are ignored."""
LIKELY_FILES = 5


class NamedPlace(NamedTuple):
    """A place of the tree that the log names: `name` is the definition at the line, "" for none."""

    path: str
    line: int
    name: str
    score: float
    log_line: int
    """The line of the log, from 1."""


class LogLocalization(NamedTuple):
    """What an error log leads to."""

    named: tuple[NamedPlace, ...]
    commits: tuple[SuspectCommit, ...]
    likely: LocalizationResult

    def as_json(self, verbose: bool = False) -> dict[str, Any]:
        """Return the object that `locate --log --json` prints: that of an issue, with `named` and `commits`."""
        named = [one._asdict() for one in self.named]
        commits = [one._asdict() | {"why": list(one.why)} for one in self.commits]
        return {"named": named, "commits": commits} | self.likely.as_json(verbose)


def commits_since(before: HistoryBase, good: str) -> list[str]:
    """Return the commits after `good` (a full id) up to the base, newest first. Raises UsageError if `good` is not an
    ancestor of the base or is the base."""
    from aci.history.git_log import GitLog

    ids, missing = GitLog(before.git_dir).apart(before.commit, good)
    if missing:
        raise UsageError(
            f"{good[:12]} is not an ancestor of {before.commit[:12]}.", "Give an older commit with --good."
        )
    if not ids:
        raise UsageError(f"There is no commit after {good[:12]}.", "Give an older commit with --good.")
    return ids


def localize_log(
    blobs: Blobs,
    log: ErrorLog,
    before: HistoryBase,
    since: Sequence[str] = (),
    top: int = 10,
    say: Callable[[str], None] = lambda _: None,
) -> LogLocalization:
    """Return what a log leads to; `since` are the commits that may have caused the error, newest first."""
    from aci.history.git_log import GitLog
    from extensions.code_search.suspect_commits import rank_commits

    issue = Issue(log.title[:500], log.excerpt, trust="stranger")
    likely = localize_issue(blobs, issue, before, top, say)
    every = [path for path, mode, _ in blobs.files() if mode.startswith("100")]
    named = query_tree_graph(blobs, text_of(issue), lambda graph: find_named_places(graph, every, log.places), say)
    commits = rank_commits(GitLog(before.git_dir), since, _clues(named, likely, issue), top) if since else []
    return LogLocalization(tuple(named[:top]), tuple(commits), likely)


def find_named_places(graph: Graph, paths: Sequence[str], places: Sequence[LogPlace]) -> list[NamedPlace]:
    """Return the places of the tree that a log names, the one nearest to an error first; of equal ones, those in source
    files. `paths` are all files of the tree."""
    from aci.graph.code_graph import definition_at_line, look_up_name
    from aci.localization.explicit_mentions import PathIndex
    from aci.repository.test_files import is_test

    index = PathIndex(paths, range(len(paths)))
    found: dict[tuple[str, str], NamedPlace] = {}

    def add(path: str, line: int, name: str, place: LogPlace) -> None:
        score = round(place.value * (OF_TEST if is_test(path) else 1.0), 3)
        known = found.get((path, name))
        if known is None or known.score < score:
            found[path, name] = NamedPlace(path, line, name, score, place.log_line)

    for place in places:
        files = [paths[number] for number in index.at(place.path)] if place.path else []
        for path in files if len(files) <= MOST_FILES and place.line else ():
            symbol = graph.symbol(definition_at_line(graph, path, place.line)) if path in graph.number else None
            add(path, place.line, symbol.name if symbol else "", place)
        if place.name and not place.line:
            matches = look_up_name(graph, f"{place.path}:{place.name}" if place.path else place.name).places
            for match in matches if len(matches) <= MOST_FILES else ():
                symbol = graph.symbol(match)
                add(match.path, symbol.header if symbol else 0, symbol.name if symbol else "", place)
        elif not place.line and len(files) <= MOST_FILES:
            for path in files:
                add(path, 0, "", place)
    return sorted(found.values(), key=lambda one: (-one.score, -one.log_line, one.path, one.line))


def _clues(named: Sequence[NamedPlace], likely: LocalizationResult, issue: Issue) -> Any:
    from aci.issue_text.issue_mentions import find_mentions, is_identifier_like
    from extensions.code_search.suspect_commits import Clues

    files: dict[str, float] = {}
    for one in named:
        files[one.path] = max(one.score, files.get(one.path, 0.0))
    mentions = find_mentions(issue)
    return Clues(
        files,
        {(one.path, one.name): one.score for one in named if one.name},
        {hit.path: 1 / (1 + rank) for rank, hit in enumerate(likely.places.files[:LIKELY_FILES])},
        mentions.messages,
        frozenset(name for name in mentions.names if is_identifier_like(name)),
    )
