"""The index lock of a commit whose process died, or seems to have: what it can name, and when it is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import aci.repository.user_repository
from aci.repository import commit as with_git
from aci.repository.process_owner import owner_mark
from aci.repository.user_repository import Repository
from trajectories.errors import TryLater, WorkspaceError


def prepare_lock(desk, owners: str, *fields: str) -> Path:
    lock = desk.file(".git/index.lock")
    lock.write_text("\n".join((f"{with_git.OURS}{owners}", *fields, "")))
    return lock


ENDED = owner_mark(os.getpid()).rpartition(":")[0] + ":1"
"""A process of this machine that ended: another one has its number now."""


@pytest.mark.parametrize("number", ["1", "9" * 30, "\N{SUPERSCRIPT TWO}"])
def test_prepared_lock_cannot_name_options_of_git(desk, tmp_path, number: str) -> None:
    """A repository may come from anywhere with its git directory; to open a session there recovers commits."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    link = desk.file("..refs/heads/x")
    link.parent.mkdir(parents=True)
    link.symlink_to(precious)
    lock = prepare_lock(desk, ENDED.rpartition(":")[0].rpartition(":")[0] + f":{number}:1", "--output=", "x", "../..")
    os.utime(lock, (0, 0))
    assert with_git.recover_commit(Repository.open(desk.root)) == ""
    assert precious.read_text() == "precious"
    assert not lock.exists()


def test_prepared_lock_removes_no_folder_of_users(desk) -> None:
    kept = [desk.file(".git/swe-agent-mine/file"), desk.file("dir/c.txt")]
    kept[0].parent.mkdir()
    kept[0].touch()
    for name in (str(kept[0].parent), str(desk.file("dir")), "../dir", "swe-agent-\0"):
        prepare_lock(desk, ENDED, desk.git("rev-parse", "HEAD"), "main\0", name)
        assert with_git.recover_commit(Repository.open(desk.root)) == ""
    assert all(file.exists() for file in kept)


def test_lock_that_is_link_makes_no_file_elsewhere(desk, tmp_path) -> None:
    desk.file(".git/swe-agent.lock").symlink_to(tmp_path / "made")
    prepare_lock(desk, ENDED, desk.git("rev-parse", "HEAD"), "main", "")
    with pytest.raises(WorkspaceError, match="cannot be locked"):
        with_git.recover_commit(Repository.open(desk.root))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "names", ["another-machine:1:1", f"{owner_mark(os.getpid())} {ENDED}"], ids=["foreign", "living"]
)
def test_lock_of_commit_that_may_be_under_way_stays(desk, names: str) -> None:
    """A container and its host share a checkout and see no processes of each other. The git that a session started
    ends before the session has updated the index."""
    lock = prepare_lock(desk, names, desk.git("rev-parse", "HEAD"), "main", "")
    repository = Repository.open(desk.root)
    with pytest.raises(TryLater, match="still under way") as error:
        with_git.recover_commit(repository)
    assert str(lock) in str(error.value.fix)
    os.utime(lock, (0, 0))
    if names.startswith("another"):
        assert with_git.recover_commit(repository) == ""
    assert lock.exists() == names.startswith(owner_mark(os.getpid()))


def test_two_sessions_do_not_recover_at_once(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one would remove the lock that the faster one has made since."""
    monkeypatch.setattr(aci.repository.user_repository, "LOCK_SECONDS", 0.0)
    lock, repository = prepare_lock(desk, ENDED), Repository.open(desk.root)
    with repository._lock(), pytest.raises(TryLater, match="Another swe-agent"):
        with_git.recover_commit(repository)
    assert lock.exists()
    with_git.recover_commit(repository)
    assert not lock.exists()
