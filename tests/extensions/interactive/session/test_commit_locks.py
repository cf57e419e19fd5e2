"""The index lock of an interrupted commit: what it may name, and when it is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import aci.repository.user_repository
from aci.repository.process_owner import owner_mark
from aci.repository.user_repository import Repository
from extensions.interactive.session import user_commit as commit_module
from trajectories.errors import TryLater, WorkspaceError


def write_lock(session, processes: str, *fields: str) -> Path:
    lock = session.file(".git/index.lock")
    lock.write_text("\n".join((f"{commit_module.OURS}{processes}", *fields, "")))
    return lock


ENDED = owner_mark(os.getpid()).rpartition(":")[0] + ":1"
"""An ended process of this machine whose id belongs to another process now."""


@pytest.mark.parametrize("number", ["1", "9" * 30, "\N{SUPERSCRIPT TWO}"])
def test_crafted_lock_cannot_pass_options_to_git(session, tmp_path, number: str) -> None:
    """A repository may come from anywhere with its git directory, and opening a session in it recovers commits."""
    user_file = tmp_path / "precious"
    user_file.write_text("precious")
    link = session.file("..refs/heads/x")
    link.parent.mkdir(parents=True)
    link.symlink_to(user_file)
    lock = write_lock(session, ENDED.rpartition(":")[0].rpartition(":")[0] + f":{number}:1", "--output=", "x", "../..")
    os.utime(lock, (0, 0))
    assert commit_module.recover_commit(Repository.open(session.root)) == ""
    assert user_file.read_text() == "precious"
    assert not lock.exists()


def test_crafted_lock_removes_no_folder_of_user(session) -> None:
    user_files = [session.file(".git/swe-agent-mine/file"), session.file("dir/c.txt")]
    user_files[0].parent.mkdir()
    user_files[0].touch()
    for name in (str(user_files[0].parent), str(session.file("dir")), "../dir", "swe-agent-\0"):
        write_lock(session, ENDED, session.git("rev-parse", "HEAD"), "main\0", name)
        assert commit_module.recover_commit(Repository.open(session.root)) == ""
    assert all(file.exists() for file in user_files)


def test_linked_lock_creates_no_file_elsewhere(session, tmp_path) -> None:
    session.file(".git/swe-agent.lock").symlink_to(tmp_path / "made")
    write_lock(session, ENDED, session.git("rev-parse", "HEAD"), "main", "")
    with pytest.raises(WorkspaceError, match="cannot be locked"):
        commit_module.recover_commit(Repository.open(session.root))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "names", ["another-machine:1:1", f"{owner_mark(os.getpid())} {ENDED}"], ids=["foreign", "living"]
)
@pytest.mark.parametrize("away", [-86_400 * 365, -86_400, 86_400, 86_400 * 365])
def test_lock_of_possibly_running_commit_is_kept(session, names: str, away: int) -> None:
    """A container and its host may share a checkout without seeing each other's processes. The git process of a
    session ends before the session has updated the index."""
    lock = write_lock(session, names, session.git("rev-parse", "HEAD"), "main", "")
    repository = Repository.open(session.root)
    with pytest.raises(TryLater, match="still in progress") as error:
        commit_module.recover_commit(repository)
    assert str(lock) in str(error.value.fix)
    other_time = time.time() + away  # the clock has been set meanwhile, or the process ended long ago
    os.utime(lock, (other_time, other_time))
    if names.startswith("another"):
        assert commit_module.recover_commit(repository) == ""
    assert lock.exists() == names.startswith(owner_mark(os.getpid()))


def test_two_sessions_do_not_recover_at_once(session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one would remove the lock that the faster one has just created."""
    monkeypatch.setattr(aci.repository.user_repository, "LOCK_SECONDS", 0.0)
    lock, repository = write_lock(session, ENDED), Repository.open(session.root)
    with repository._lock(), pytest.raises(TryLater, match="Another swe-agent"):
        commit_module.recover_commit(repository)
    assert lock.exists()
    commit_module.recover_commit(repository)
    assert not lock.exists()
