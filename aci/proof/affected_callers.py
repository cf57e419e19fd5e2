"""What a reviewer of a patch should look at: who calls what changed its signature, and was left as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from aci.graph.signatures import GONE, breaking_changes
from aci.source import definitions
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from aci.graph.edits import Broken, Edit
    from aci.graph.graph import Graph
    from trajectories.trees import Trees

MOST_FUNCTIONS, MOST_CALLERS = 5, 6
"""Changed functions that are told, and callers of each."""


def affected_callers(trees: Trees, base: str, tree: str, paths: Collection[str]) -> list[str]:
    """A sentence for each function of `paths` whose new signature may break a call outside the patch, with the calls.

    Lines are those in `tree`. Empty without a graph: what is told is advice, and nothing hangs on it.
    """
    from aci.graph.blobs import TreeBlobs
    from aci.graph.edits import edits_between
    from aci.locating import ask_graph

    before = TreeBlobs(trees, base)
    try:
        edits = [edit for edit in edits_between(before, TreeBlobs(trees, tree)) if edit.path in paths]
        if not any(edit.path.endswith(".py") and breaking_changes(edit.before, edit.after) for edit in edits):
            return []
        return ask_graph(before, lambda graph: _sentences(graph, edits))
    except WorkspaceError:
        return []


def _sentences(graph: Graph, edits: Sequence[Edit]) -> list[str]:
    from aci.graph.edits import broken_callers

    broken = broken_callers(graph, edits)
    told = [_sentence(graph, one, edits) for one in broken[:MOST_FUNCTIONS]]
    rest = len(broken) - len(told)
    return [*told, f"So with {rest} more functions whose signature changes."] if rest else told


def _sentence(graph: Graph, broken: Broken, edits: Sequence[Edit]) -> str:
    from aci.graph.naming import is_test_file

    calls = sorted(broken.callers, key=lambda link: (is_test_file(graph, link.place.path), -link.weight, link.place))
    named = [f"{link.place.path}:{link.line}" for link in calls[:MOST_CALLERS]]
    more = f" and {len(calls) - len(named)} more" if len(calls) > len(named) else ""
    after = next(edit.after for edit in edits if edit.path == broken.place.path)
    line = next((one.header for one in definitions(after) if one.name == broken.name), 0)
    where = f"{broken.place.path}:{line}" if line else broken.place.path
    return f"{broken.name} ({where}) {_changed(broken.words)}; calls outside the patch: {', '.join(named)}{more}."


def _changed(words: str) -> str:
    return words if words == GONE else f"has another signature: {words}"
