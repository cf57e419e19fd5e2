"""The diffs of a report use no object whose content was replaced under its old id."""

from __future__ import annotations

from pathlib import Path

from extensions.report.tree_diffs import PairDiff, pair_diffs
from tests.trajectories.git_store.test_replaced_objects import EVIL, replace_object, states
from trajectories.git_store.packs import object_id
from trajectories.git_store.trees import Trees

__all__ = ["states"]


def test_report_shows_nothing_of_replaced_file(states: tuple[Path, str, str]) -> None:
    path, old, new = states
    replace_object(path, object_id("blob", b"a + b\n"), EVIL)
    with Trees(path, read_only=True) as trees:
        good = trees.write({}, old)
        assert list(pair_diffs(trees, [(old, new), (old, good)], 1_000_000)) == [PairDiff(missing=True), PairDiff()]


def test_tree_differs_not_from_itself(states: tuple[Path, str, str]) -> None:
    path, old, new = states
    with Trees(path) as trees:
        pairs = pair_diffs(trees, [(new, new), (old, new)], 10_000)
        assert [file.path for pair in pairs for file in pair.files] == ["a/core.py"]
