"""Difficulty of a task: the place in `locate`, the size of the patch, and the number of failing tests."""

from __future__ import annotations

from collections.abc import Sequence

from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.repository.file_blobs import TreeBlobs
from aci.repository.patch import count_diff_lines
from agent.inputs.issue_input import from_text
from extensions.lab.synthesis.source_repository import SourceRepository
from extensions.lab.synthesis.task_instance import Difficulty

TOP = 50


def measure_difficulty(
    source: SourceRepository, planted: str, commit: str, text: str, symbols: Sequence[str], failing: int
) -> Difficulty:
    """Return the difficulty of a task with this issue text; `commit` is its base, without history."""
    diff = source.trees.diff(planted, source.tree)
    lines = sum(added + removed for _, added, removed in count_diff_lines(diff))
    return Difficulty(_rank(source, planted, commit, text, symbols), lines, failing)


def _rank(source: SourceRepository, planted: str, commit: str, text: str, symbols: Sequence[str]) -> int | None:
    blobs = TreeBlobs(source.trees, planted)
    found = localize_issue(blobs, from_text(text), HistoryBase(source.trees.path, commit), TOP)
    ranked = [f"{place.path}:{place.name}" for place in found.places.functions]
    return min((ranked.index(one) + 1 for one in symbols if one in ranked), default=None)
