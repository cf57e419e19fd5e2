"""Callers that a patch leaves unchanged although it changes the signature of the function they call; they are listed
for reviewers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from aci.graph.signature_changes import REMOVED, breaking_changes
from aci.proof.fact_words import affected_calls, more_affected_calls
from aci.repository.python_source import definitions
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.patch_impact import BreakingChange, Edit
    from trajectories.facts import Fact
    from trajectories.git_store.trees import Trees

MOST_FUNCTIONS, MOST_CALLERS = 5, 6
"""Maximum number of changed functions that are reported, and of callers of each."""


def affected_callers(trees: Trees, base: str, tree: str, paths: Collection[str]) -> list[Fact]:
    """Return a fact for each function of `paths` whose new signature may break calls outside the patch.

    Line numbers refer to the files in `tree`. The list is empty if there is no code graph, since it is only advice and
    no verdict depends on it.
    """
    from aci.graph.patch_impact import edits_between
    from aci.localization.issue_localization import query_tree_graph, text_of_edits
    from aci.repository.file_blobs import TreeBlobs

    before = TreeBlobs(trees, base)
    try:
        edits = [edit for edit in edits_between(before, TreeBlobs(trees, tree)) if edit.path in paths]
        if not any(edit.path.endswith(".py") and breaking_changes(edit.before, edit.after) for edit in edits):
            return []
        return query_tree_graph(before, text_of_edits(edits), lambda graph: _facts(graph, edits))
    except WorkspaceError:
        return []


def _facts(graph: Graph, edits: Sequence[Edit]) -> list[Fact]:
    from aci.graph.patch_impact import broken_callers

    broken = broken_callers(graph, edits)
    facts = [_fact(graph, one, edits) for one in broken[:MOST_FUNCTIONS]]
    rest = len(broken) - len(facts)
    return [*facts, more_affected_calls(rest)] if rest else facts


def _fact(graph: Graph, broken: BreakingChange, edits: Sequence[Edit]) -> Fact:
    from aci.graph.code_graph import is_test_file

    calls = sorted(broken.callers, key=lambda link: (is_test_file(graph, link.place.path), -link.weight, link.place))
    places = [f"{link.place.path}:{link.line}" for link in calls]
    after = next(edit.after for edit in edits if edit.path == broken.place.path)
    line = next((one.header for one in definitions(after) if one.name == broken.name), 0)
    return affected_calls(broken.name, broken.place.path, line, _changed(broken.words), places, MOST_CALLERS)


def _changed(words: str) -> str:
    return words if words == REMOVED else f"has a new signature: {words}"
