"""The cache of code graph and history, and the fallback when it cannot be used."""

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


def find_functions(repo: Path, messages: list[str], rev: str | None = None) -> list[str]:
    source = Repository.open(repo)
    with source.blobs(rev) as blobs:
        result = localize_issue(blobs, ISSUE, HistoryBase(source.git_dir, source.commit()), 5, messages.append)
    return [hit.name for hit in result.places.functions]


def test_full_disk_makes_localization_use_temporary_cache(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graph and history are both built again in a temporary folder of this process."""
    writing = Cache.writing
    used: set[Path] = set()

    @contextmanager
    def fail_if_disk_is_full(cache: Cache) -> Iterator[object]:
        assert cache.path
        used.add(cache.path)
        if cache.path == file_in(cache_folder()):
            raise CacheUnusable("The cache cannot be used: database or disk is full.", "Free some disk space.")
        with writing(cache) as connection:
            yield connection

    monkeypatch.setattr(Cache, "writing", fail_if_disk_is_full)
    issue_localization._temporary_folder.cache_clear()
    messages: list[str] = []
    assert find_functions(make_repo(FILES), messages)[0] == "add"
    assert messages == [f"The cache cannot be used: database or disk is full. {issue_localization.TEMPORARY_CACHE}"]
    temporary_folder = issue_localization._temporary_folder()
    assert {path for path in used if path.parent == temporary_folder} == {
        file_in(temporary_folder),
        graph_store.file_in(temporary_folder),
    }


@pytest.mark.parametrize("rev", [None, "HEAD"])
def test_damaged_repository_is_not_reported_as_damaged_cache(make_repo: MakeRepo, rev: str | None) -> None:
    repo = make_repo({f"folder/{name}": text for name, text in FILES.items()})
    tree = git(repo, "rev-parse", "HEAD:folder").strip()
    (repo / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    messages: list[str] = []
    with pytest.raises(UsageError) as raised:
        find_functions(repo, messages, rev)
    assert "git fsck" in raised.value.fix
    assert messages == []


def test_other_errors_are_raised_unchanged(make_repo: MakeRepo) -> None:
    messages: list[str] = []
    with pytest.raises(WorkspaceError, match="no container"):
        issue_localization._with_cache(
            lambda _: (_ for _ in ()).throw(WorkspaceError("There is no container.")), messages.append
        )
    assert messages == []
