"""Copies of a repository on another machine: made once, complete and up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from extensions.lab.batch.repository_bundles import bundle, hash_refs, local_clone
from tests.conftest import MakeRepo, git
from trajectories.errors import WorkspaceError


def fail_if_called() -> bytes:
    raise AssertionError("no bundle is needed")


@pytest.fixture
def original(make_repo: MakeRepo) -> Path:
    root = make_repo({"a.py": "x = 1\n", ".gitattributes": "* text=auto eol=crlf\n"})
    git(root, "tag", "-a", "v1.2.0", "-m", "A release")
    git(root, "commit", "-q", "--allow-empty", "-m", "The second")
    return root


def test_existing_repository_path_is_used(original: Path) -> None:
    assert local_clone(original, hash_refs(original), git(original, "rev-parse", "HEAD"), fail_if_called) == original


def test_repository_is_copied_once(original: Path, tmp_path: Path) -> None:
    commit, state = git(original, "rev-parse", "HEAD"), hash_refs(original)
    elsewhere = tmp_path / "elsewhere" / original.name
    copy = local_clone(elsewhere, state, commit, lambda: bundle(original, commit))
    assert local_clone(elsewhere, state, commit, fail_if_called) == copy
    one, other = Repository.open(original), Repository.open(copy)
    assert other.name == one.name
    assert other.commit() == commit
    assert other.release(commit) == "1.2.0"
    assert git(copy, "rev-list", "--all") == git(original, "rev-list", "--all")
    assert git(copy, "fsck", "--strict") == ""


def test_commit_outside_branches_is_copied(original: Path, tmp_path: Path) -> None:
    git(original, "commit", "-q", "--allow-empty", "-m", "Of no branch")
    stray = git(original, "rev-parse", "HEAD")
    git(original, "reset", "-q", "--hard", "HEAD^")
    copy = local_clone(tmp_path / "elsewhere", hash_refs(original), stray, lambda: bundle(original, stray))
    assert Repository.open(copy).commit(stray) == stray


def test_changed_repository_gets_new_copy(original: Path, tmp_path: Path) -> None:
    first = git(original, "rev-parse", "HEAD")
    old = local_clone(tmp_path / "elsewhere", hash_refs(original), first, lambda: bundle(original, first))
    git(original, "commit", "-q", "--allow-empty", "-m", "The third")
    third = git(original, "rev-parse", "HEAD")
    new = local_clone(tmp_path / "elsewhere", hash_refs(original), third, lambda: bundle(original, third))
    assert old != new


def test_invalid_bundle_leaves_no_files(original: Path, tmp_path: Path) -> None:
    commit, state = git(original, "rev-parse", "HEAD"), hash_refs(original)
    with pytest.raises(WorkspaceError):
        local_clone(tmp_path / "elsewhere", state, commit, lambda: b"no bundle")
    copy = local_clone(tmp_path / "elsewhere", state, commit, lambda: bundle(original, commit))
    assert [path.name for path in copy.parent.iterdir() if path.name != "lock"] == [copy.name]
