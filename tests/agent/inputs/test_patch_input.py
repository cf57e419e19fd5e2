"""The base of a branch that `prove` and `review` are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.inputs.patch_input import proposal_from
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    """A repository in which the branch `fix` is checked out, one commit after `main`."""
    repo = make_repo({"a.py": "a = 1\n"})
    git(repo, "branch", "-M", "main")
    git(repo, "checkout", "-qb", "fix")
    (repo / "a.py").write_text("a = 2\n")
    git(repo, "commit", "-qam", "fix")
    return repo


@pytest.mark.parametrize("head", ["fix", "main", "later"])
@pytest.mark.parametrize("rev", ["fix", "HEAD~0"])
def test_branch_is_compared_with_the_main_branch_wherever_head_is(repo: Path, head: str, rev: str) -> None:
    git(repo, "branch", "later", "fix")
    rev = rev if rev == "fix" else git(repo, "rev-parse", "fix")
    git(repo, "checkout", "-q", head)
    commit, proposal = proposal_from(Repository.open(repo), None, None, rev, False)
    assert (commit, proposal.name) == (git(repo, "rev-parse", "main"), f"branch {rev}")


def test_branch_without_changes_is_refused_in_one_sentence(repo: Path) -> None:
    source = Repository.open(repo)
    with pytest.raises(UsageError, match=r"fix is the commit of fix\."):
        proposal_from(source, "fix", None, "fix", False)
    git(repo, "branch", "-qf", "main", "fix")
    with pytest.raises(UsageError, match=r"HEAD has all commits of fix\."):
        proposal_from(source, None, None, "fix", False)
