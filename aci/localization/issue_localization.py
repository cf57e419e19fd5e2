"""All that localization needs, put together in one place: a tree's files, the user's cache, what commits before say."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from aci.cache import CacheUnusable, folder
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from aci.graph.blobs import Blobs
    from aci.graph.graph import Graph
    from aci.history import History
    from aci.issue_run import Traced
    from aci.localization.routes import Routes
    from aci.localize import Places
    from aci.past_fixes import Fix
    from trajectories.records import Issue

Answer = TypeVar("Answer")
NOT_KEPT = "What is made is kept for this process only."


class Before(NamedTuple):
    """Whose past is asked: the ancestors of a commit (its whole id) in a git directory."""

    git_dir: Path
    commit: str


class Located(NamedTuple):
    places: Places
    left_out: Mapping[str, str]
    """Paths that were not read, and why."""
    seconds: float


def located(
    blobs: Blobs,
    issue: Issue,
    before: Before,
    top: int = 10,
    say: Callable[[str], None] = lambda _: None,
    traced: Traced | None = None,
) -> Located:
    """Where the issue is likely to be solved. Reads only the tree and what lies before it, and what a run has told."""
    began = time.monotonic()
    from aci.localize import places, reader

    def question(graph: Graph, history: History) -> tuple[Places, Mapping[str, str]]:
        return places(graph, issue, reader(graph, blobs), history, top, traced), graph.left_out

    return Located(*_ask_both(blobs, before, question, say), round(time.monotonic() - began, 3))


class Retrieved(NamedTuple):
    """What lies before a tree: ways from an issue over it, and fixes that are like what the issue asks for."""

    routes: Routes
    fixes: Sequence[Fix]


def retrieved(blobs: Blobs, issue: Issue, before: Before, say: Callable[[str], None] = lambda _: None) -> Retrieved:
    """Reads only the tree and what lies before it."""
    from aci.discussion import with_discussion
    from aci.localization.routes import Ways, routes
    from aci.mentions import mentions
    from aci.past_fixes import fixes

    def question(graph: Graph, history: History) -> Retrieved:
        ways = Ways(graph, mentions(issue), history)
        return Retrieved(routes(ways), fixes(history, ways.like, with_discussion(issue).text))

    return _ask_both(blobs, before, question, say)


def likely_next(
    without: Blobs, patched: Blobs, before: Before, top: int = 10, say: Callable[[str], None] = lambda _: None
) -> Located:
    """What else is likely to need a change, for the patch between two trees."""
    began = time.monotonic()
    from aci.consequences import consequences
    from aci.graph.edits import edits_between

    edits = edits_between(without, patched)

    def question(graph: Graph, history: History) -> tuple[Places, Mapping[str, str]]:
        together = _changing_together(history, [edit.path for edit in edits], graph.paths)
        return consequences(graph, edits, together, top), graph.left_out

    return Located(*_ask_both(without, before, question, say), round(time.monotonic() - began, 3))


def _changing_together(history: History, paths: Sequence[str], present: Sequence[str]) -> dict[str, float]:
    """How often other files changed with one of these, as a share of its changes; the highest of several."""
    shares: dict[str, float] = {}
    for others in history.together(paths, frozenset(present)).values():
        for path, share in others.items():
            shares[path] = max(share, shares.get(path, 0.0))
    return {path: share for path, share in shares.items() if path not in paths}


def ask_graph(blobs: Blobs, question: Callable[[Graph], Answer], say: Callable[[str], None] = lambda _: None) -> Answer:
    """What the graph of a tree answers, from the user's cache, or one for this process where that cannot be used."""
    from aci.graph.graph import asked

    return _kept(lambda where: asked(blobs, where, question), say)


def _ask_both(
    blobs: Blobs, before: Before, question: Callable[[Graph, History], Answer], say: Callable[[str], None]
) -> Answer:
    """What the graph of a tree and its past answer together."""
    from aci.graph.graph import asked
    from aci.history import History

    def work(where: Path) -> Answer:
        with History.open(before.git_dir, before.commit, where) as history:
            return asked(blobs, where, lambda graph: question(graph, history))

    return _kept(work, say)


def _kept(work: Callable[[Path], Answer], say: Callable[[str], None]) -> Answer:
    """What `work` makes with the user's cache, and once more with a folder of this process's where that is unusable."""
    try:
        return work(folder())
    except CacheUnusable as error:
        say(f"{error.message} {NOT_KEPT}")
        return work(_own_folder())


@cache
def _own_folder() -> Path:
    """A folder of this process's, gone when it ends. Raises WorkspaceError."""
    try:
        made = tempfile.mkdtemp(prefix="swe-agent-")
    except OSError as error:
        raise WorkspaceError(
            f"No temporary folder can be made: {error.strerror}.", "Make room, or set TMPDIR."
        ) from None
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)
