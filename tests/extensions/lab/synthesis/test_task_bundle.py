"""The bundle of bases."""

from __future__ import annotations

from pathlib import Path

from extensions.lab.synthesis.task_bundle import commit_tree, write_bundle
from tests.conftest import git
from trajectories.git_store.trees import Trees


def test_store_may_have_a_colon_in_its_path(tmp_path: Path) -> None:
    trees = Trees(tmp_path / "a:b" / "trees.git")
    tree = trees.write({"a.py": b"x = 1\n"}, "4b825dc642cb6eb9a060e54bf8d69288fbee4904")  # the empty tree
    commit = commit_tree(trees, tree, "1970-01-01T00:00:00Z")
    write_bundle(trees, {"local__my-.lib.plant.1": commit}, tmp_path / "tasks.bundle")
    assert git(tmp_path, "ls-remote", "tasks.bundle", "HEAD").split()[0] == commit
