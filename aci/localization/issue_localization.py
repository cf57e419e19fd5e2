"""Localization of an issue in a tree, with the code graph, the commit history and the user's cache."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from aci.graph.patch_impact import Edit
from aci.localization.place_ranking import RankedPlace, RankedPlaces
from aci.repository.disk_cache import CacheUnusable, cache_folder
from trajectories.errors import WorkspaceError
from trajectories.temporary_folders import process_folder

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.history.commit_search import History
    from aci.issue_text.issue_snippets import SnippetTrace
    from aci.localization.issue_links import Routes
    from aci.localization.similar_fixes import SimilarFix
    from aci.repository.file_blobs import Blobs
    from trajectories.records import Issue

Answer = TypeVar("Answer")
TEMPORARY_CACHE = "A temporary cache is used until this process ends."


class HistoryBase(NamedTuple):
    """The history to search: the ancestors of `commit` (a full id) in `git_dir`."""

    git_dir: Path
    commit: str


class LocalizationResult(NamedTuple):
    """The result of a localization, and how long it took."""

    places: RankedPlaces
    left_out: Mapping[str, str]
    """Paths that were not read, with the reason."""
    seconds: float
    has_lines: bool = False
    """Whether the reasons name lines, as those for a patch do."""

    def as_json(self, verbose: bool = False) -> dict[str, Any]:
        """Return the object that `locate --json` prints; with `verbose`, it includes the path of each skipped file."""
        places = self.places
        document: dict[str, Any] = {
            "files": [self._hit_json(hit) for hit in places.files],
            "functions": [self._hit_json(hit) for hit in places.functions],
            "classes": [self._hit_json(hit) for hit in places.classes],
            "seconds": self.seconds,
            "left_out": dict(Counter(self.left_out.values()).most_common()),
        }
        return document | {"left_out_paths": dict(sorted(self.left_out.items()))} if verbose else document

    def _hit_json(self, hit: RankedPlace) -> dict[str, Any]:
        name = {"name": hit.name, "line": hit.line} if hit.name else {}
        document = {"path": hit.path, **name, "score": hit.score, "why": list(hit.why)}
        lines = [{"line": line, "why": why} for line, why in hit.lines]
        return document | {"lines": lines} if self.has_lines else document


def localize_issue(
    blobs: Blobs,
    issue: Issue,
    before: HistoryBase,
    top: int = 10,
    say: Callable[[str], None] = lambda _: None,
    traced: SnippetTrace | None = None,
) -> LocalizationResult:
    """Return the places that are most likely to need a change to fix the issue.

    Reads only the tree, the commits before it, and `traced`, the trace of a run of the issue's example.
    """
    began = time.monotonic()
    from aci.localization.place_ranking import file_reader, rank_places

    def question(graph: Graph, history: History) -> tuple[RankedPlaces, Mapping[str, str]]:
        return rank_places(graph, issue, file_reader(graph, blobs), history, top, traced), graph.left_out

    found = ask_graph_and_history(blobs, text_of(issue), before, question, say)
    return LocalizationResult(*found, round(time.monotonic() - began, 3))


def text_of(issue: Issue) -> str:
    """Return the text that selects the part of a very large tree for an issue."""
    from aci.issue_text.issue_discussion import append_discussion

    full = append_discussion(issue)
    return f"{full.title}\n{full.body}"


def text_of_edits(edits: Iterable[Edit]) -> str:
    """Return the text that selects the part of a very large tree for a patch."""
    return "\n".join(text for edit in edits for text in (edit.path, edit.before, edit.after))


class HistoryResult(NamedTuple):
    """Search results from a tree's history for an issue: routes to places, and similar earlier fixes."""

    routes: Routes
    fixes: Sequence[SimilarFix]


def retrieve_history(
    blobs: Blobs, issue: Issue, before: HistoryBase, say: Callable[[str], None] = lambda _: None
) -> HistoryResult:
    """Return routes and similar earlier fixes for an issue. Reads only the tree and the commits before it."""
    from aci.issue_text.issue_discussion import append_discussion
    from aci.issue_text.issue_mentions import find_mentions
    from aci.localization.issue_links import IssueGraph, rank_routes
    from aci.localization.similar_fixes import find_similar_fixes

    def question(graph: Graph, history: History) -> HistoryResult:
        ways = IssueGraph(graph, find_mentions(issue), history, issue.past or None)
        return HistoryResult(
            rank_routes(ways), find_similar_fixes(history, ways.similar, append_discussion(issue).text)
        )

    return ask_graph_and_history(blobs, text_of(issue), before, question, say)


def find_related_numbers(
    issue: Issue, before: HistoryBase, say: Callable[[str], None] = lambda _: None
) -> Sequence[int]:
    """Return the numbers of issues and pull requests that the issue or similar commits mention."""
    from aci.history.commit_search import History
    from aci.issue_text.issue_mentions import find_mentions
    from aci.localization.bm25 import weigh_terms
    from aci.localization.issue_links import SIMILAR_COMMITS
    from aci.localization.past_changes import related_numbers

    mentions = find_mentions(issue)

    def work(where: Path) -> Sequence[int]:
        with History.open(before.git_dir, before.commit, where) as history:
            similar = history.similar(weigh_terms(mentions), SIMILAR_COMMITS)
            return related_numbers(history, similar, mentions.numbers)

    return _with_cache(work, say)


def query_tree_graph(
    blobs: Blobs, about: str, question: Callable[[Graph], Answer], say: Callable[[str], None] = lambda _: None
) -> Answer:
    """Run a query on a tree's code graph, which is cached for the user or, if that is impossible, in a temporary
    folder. The graph of a very large tree has only the files that the text `about` is about."""
    from aci.graph.code_graph import query_graph

    return _with_cache(lambda where: query_graph(blobs, where, question, about), say)


def ask_graph_and_history(
    blobs: Blobs,
    about: str,
    before: HistoryBase,
    question: Callable[[Graph, History], Answer],
    say: Callable[[str], None],
) -> Answer:
    """Run a query on a tree's code graph and its history."""
    from aci.graph.code_graph import query_graph
    from aci.history.commit_search import History

    def work(where: Path) -> Answer:
        with History.open(before.git_dir, before.commit, where) as history:
            return query_graph(blobs, where, lambda graph: question(graph, history), about)

    return _with_cache(work, say)


def _with_cache(work: Callable[[Path], Answer], say: Callable[[str], None]) -> Answer:
    """Return the result of `work` with the user's cache, or with a temporary cache if the user's is unusable."""
    try:
        return work(cache_folder())
    except CacheUnusable as error:
        say(f"{error.message} {TEMPORARY_CACHE}")
        return work(_temporary_folder())


@cache
def _temporary_folder() -> Path:
    """Return a temporary folder that is removed when this process ends. Raises WorkspaceError."""
    try:
        made = tempfile.mkdtemp(dir=process_folder())
    except OSError as error:
        raise WorkspaceError(
            f"Cannot create a temporary folder: {error.strerror}.", "Free disk space, or set TMPDIR."
        ) from None
    return Path(made)
