"""Where the graph and what lies before a tree are kept, and what is told where they cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aci.graph import graph_store
from aci.history.commit_index import file_in
from aci.localization import issue_localization
from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.repository.disk_cache import Cache, CacheUnusable, cache_folder
from aci.repository.user_repository import Repository
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError, WorkspaceError
from trajectories.records import Issue

FILES = {"calc.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return add(a, a)\n"}
ISSUE = Issue("add() subtracts", "It should give the sum.")


def find(repo: Path, said: list[str], rev: str | None = None) -> list[str]:
    source = Repository.open(repo)
    with source.blobs(rev) as blobs:
        found = localize_issue(blobs, ISSUE, HistoryBase(source.git_dir, source.commit()), 5, said.append)
    return [hit.name for hit in found.places.functions]


def test_disk_that_is_full_when_history_is_written(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole work is done once more, in a folder of this process's, graph and history together."""
    writing = Cache.writing
    used: set[Path] = set()

    @contextmanager
    def full(cache: Cache) -> Iterator[object]:
        assert cache.path
        used.add(cache.path)
        if cache.path == file_in(cache_folder()):
            raise CacheUnusable("The cache cannot be used: database or disk is full.", "Make room.")
        with writing(cache) as connection:
            yield connection

    monkeypatch.setattr(Cache, "writing", full)
    issue_localization._temporary_folder.cache_clear()
    said: list[str] = []
    assert find(make_repo(FILES), said)[0] == "add"
    assert said == [f"The cache cannot be used: database or disk is full. {issue_localization.TEMPORARY_CACHE}"]
    mine = issue_localization._temporary_folder()
    assert {path for path in used if path.parent == mine} == {file_in(mine), graph_store.file_in(mine)}


@pytest.mark.parametrize("rev", [None, "HEAD"])
def test_damaged_repository_is_not_cache(make_repo: MakeRepo, rev: str | None) -> None:
    repo = make_repo({f"folder/{name}": text for name, text in FILES.items()})
    tree = git(repo, "rev-parse", "HEAD:folder").strip()
    (repo / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    said: list[str] = []
    with pytest.raises(UsageError) as raised:
        find(repo, said, rev)
    assert "git fsck" in raised.value.fix
    assert said == []


def test_other_errors_are_told_as_they_are(make_repo: MakeRepo) -> None:
    said: list[str] = []
    with pytest.raises(WorkspaceError, match="no container"):
        issue_localization._with_cache(
            lambda _: (_ for _ in ()).throw(WorkspaceError("There is no container.")), said.append
        )
    assert said == []
