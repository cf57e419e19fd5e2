"""Quarantined history: the base's ancestors, and nothing later."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User, run
from trajectories.errors import UsageError
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Base


def test_history_holds_ancestors_and_nothing_later(user: User, trees: Trees, tmp_path: Path) -> None:
    first = user.git("rev-parse", "HEAD")
    user.git("tag", "-a", "old", "-m", "an ancestor")
    middle = user.commit(**{"a.py": b"a = 2\n"})
    user.git("repack", "-adbq")
    secret = user.commit(**{"a.py": b"the fix\n", "fix": b"the fix, too\n"})
    user.git("tag", "v2")
    user.git("switch", "-qc", "side", first)
    side = user.commit(side=b"elsewhere\n")
    user.git("remote", "add", "origin", "https://user:token@example.org/x")
    user.git("update-ref", "refs/remotes/origin/trunk", secret)
    user.git("repack", "-adbq")
    into = tmp_path / "cache" / "history"
    repository = Repository.open(user.root)
    base = repository.base(trees, middle)
    repository.history(base, into)

    objects = set(run(into, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    reachable = {line.split()[0] for line in user.git("rev-list", "--objects", middle).splitlines()}
    assert objects == reachable
    for later in (secret, side, user.git("rev-parse", "v2:fix")):
        assert later not in objects
        assert subprocess.run(["git", "cat-file", "-e", later], cwd=into, check=False).returncode
    assert run(into, "log", "--all", "--reflog", "--format=%H").split() == [middle, first]
    assert run(into, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert run(into, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert run(into, "fsck", "--unreachable", "--full") == ""
    text = b"".join(file.read_bytes() for file in into.rglob("*") if file.is_file())
    assert b"token" not in text
    assert not (into / "objects" / "info" / "alternates").exists()
    assert sorted(path.name for path in into.parent.iterdir()) == ["history"]


def test_history_as_git_folder_has_clean_status(user: User, trees: Trees, tmp_path: Path, home: Path) -> None:
    user.commit(**{".gitattributes": b"* text=auto eol=crlf\n", "x": b"x\ny\n"})
    (home / ".gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.org\n[core]\n\texcludesFile = ~/mine\n")
    (home / "mine").write_text("__pycache__/\n*.secret-project\n")
    user.write(".git/info/exclude", b"/build\n*.customer\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    work = tmp_path / "work"
    work.mkdir()
    repository.history(base, work / ".git")
    run(work, "checkout", "-q", "main")
    assert (work / "x").read_bytes() == b"x\ny\n"
    assert run(work, "status", "--porcelain") == ""
    for path in ("__pycache__/a.pyc", "build/a.o"):
        (work / path).parent.mkdir()
        (work / path).write_text("")
    assert run(work, "status", "--porcelain") == ""
    assert (work / ".git" / "info" / "exclude").read_bytes() == b"__pycache__/\n/build\n"  # no private names
    assert run(work, "rev-parse", "--is-bare-repository") == "false"


def test_history_of_shallow_clone_is_shallow(user: User, trees: Trees, tmp_path: Path) -> None:
    for n in range(6):
        user.commit(**{"a.py": b"%d\n" % n})
    user.git("branch", "other", "HEAD~3")
    subprocess.run(
        ["git", "clone", "-q", "--no-single-branch", "--depth=2", f"file://{user.root}", tmp_path / "shallow"],
        check=True,
    )
    repository = Repository.open(tmp_path / "shallow")
    base = repository.base(trees)
    repository.history(base, tmp_path / "history")
    assert len((tmp_path / "shallow" / ".git" / "shallow").read_text().split()) == 2
    assert (tmp_path / "history" / "shallow").read_text().split() == [user.git("rev-parse", "HEAD~1")]
    assert len(run(tmp_path / "history", "log", "--all", "--format=%H").split()) == 2
    assert run(tmp_path / "history", "fsck", "--full") == ""


def test_concurrent_histories_create_one_complete_folder(user: User, trees: Trees, tmp_path: Path) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    into = tmp_path / "cache" / "history"
    threads = [threading.Thread(target=repository.history, args=(base, into)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run(into, "rev-parse", "main") == base.commit
    assert [path.name for path in into.parent.iterdir()] == ["history"]
    with pytest.raises(UsageError):
        repository.history(Base("1" * 40, EMPTY_TREE), tmp_path / "cache" / "none")
    assert [path.name for path in into.parent.iterdir()] == ["history"]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")
def test_history_is_created_across_file_systems(user: User, trees: Trees, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        root = shutil.copytree(user.root, Path(other, "repository"))
        repository = Repository.open(root)
        before = sorted(root.rglob("*"))
        repository.history(base := repository.base(trees), tmp_path / "history")
        assert sorted(root.rglob("*")) == before
    assert run(tmp_path / "history", "rev-parse", "main") == base.commit
    assert run(tmp_path / "history", "fsck", "--full") == ""
