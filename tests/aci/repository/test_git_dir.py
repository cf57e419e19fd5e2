"""The git directory of a folder is found as git finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.git_dir import find_git_dir
from tests.conftest import git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "repo")
    (tmp_path / "repo" / "inner").mkdir()
    git(tmp_path / "repo", "commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path / "repo"


def test_folder_inside_git_dir_and_root_give_the_same(repo: Path) -> None:
    for path in (repo, repo / "inner", repo / ".git"):
        assert find_git_dir(path) == (repo, repo / ".git")


def test_bare_repository_is_its_own_root(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    assert find_git_dir(tmp_path / "bare" / "refs") == (tmp_path / "bare", tmp_path / "bare")


def test_pointer_of_linked_worktree_is_followed(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    root, git_dir = find_git_dir(tmp_path / "linked")
    assert root == tmp_path / "linked"
    assert git_dir
    assert git_dir.samefile(repo / ".git" / "worktrees" / "linked")


@pytest.mark.parametrize("pointer", ["", "gitdir: nowhere\n", "gitdir: \udcff"])
def test_pointer_to_nothing_is_no_repository(tmp_path: Path, pointer: str) -> None:
    (tmp_path / ".git").write_text(pointer, errors="surrogateescape")
    assert find_git_dir(tmp_path)[1] is None


def test_folder_that_only_looks_like_git_dir_is_none(tmp_path: Path) -> None:
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    assert find_git_dir(tmp_path)[1] is None
