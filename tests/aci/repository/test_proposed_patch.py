"""The commit at which a branch left the main branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.proposed_patch import branch_start
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User, run
from trajectories.errors import UsageError


def start_branch(user: User, main: str) -> str:
    """Start a branch `fix` with two commits, return its base; the branch `main` has one more commit afterwards."""
    user.git("branch", "-M", main)
    base = user.commit(**{"a.py": b"a = 2\n"})
    user.git("checkout", "-q", "-b", "fix")
    user.commit(**{"a.py": b"a = 3\n"})
    user.commit(**{"a.py": b"a = 4\n"})
    user.git("checkout", "-q", main)
    user.commit(**{"b.py": b"b = 2\n"})
    user.git("checkout", "-q", "fix")
    return base


@pytest.mark.parametrize("main", ["main", "master", "development"])
def test_branch_starts_where_it_left_the_main_branch(user: User, main: str) -> None:
    user.configure("init.defaultBranch", "development")
    base = start_branch(user, main)
    source = Repository.open(user.root)
    assert (branch_start(source), branch_start(source, "fix"), branch_start(source, "fix~1")) == (base, base, base)
    user.git("checkout", "-q", "--detach")
    assert branch_start(source) == base
    assert branch_start(source, main) == ""
    user.git("branch", "-qf", main, "fix")
    assert branch_start(source) == "", "the main branch has all commits"
    with pytest.raises(UsageError, match="There is no commit"):
        branch_start(source, "nowhere")


def test_default_branch_of_a_remote_counts(user: User, tmp_path: Path) -> None:
    base = start_branch(user, "trunk")
    assert branch_start(Repository.open(user.root)) == "", "no branch is known to be the main branch"
    run(user.root, "checkout", "-q", "trunk")
    run(tmp_path, "clone", "-q", str(user.root), "clone")
    clone = Repository.open(tmp_path / "clone")
    run(clone.root, "checkout", "-q", "-b", "mine", "origin/fix")
    assert branch_start(clone) == base
    run(clone.root, "branch", "main", "origin/fix~1")
    assert branch_start(clone) == run(clone.root, "rev-parse", "origin/fix~1"), "the latest common commit"


def test_unrelated_main_branch_is_no_start(user: User) -> None:
    user.git("checkout", "-q", "--orphan", "main")
    user.commit(**{"c.py": b"c = 1\n"})
    user.git("checkout", "-q", "trunk")
    assert branch_start(Repository.open(user.root)) == ""
