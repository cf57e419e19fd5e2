"""Functions that have changed, in the working tree or on the branch that is checked out."""

from __future__ import annotations

import pytest

from aci.repository.user_repository import Repository
from extensions.testgen.changed_functions import changed_functions
from tests.conftest import MakeRepo, git

SHOP = "def total(prices):\n    return sum(prices)\n\n\ndef count(prices):\n    return len(prices)\n"


@pytest.mark.slow
def test_changes_of_the_branch_count_if_the_working_tree_has_none(make_repo: MakeRepo) -> None:
    repo = make_repo({"shop.py": SHOP})
    git(repo, "branch", "-M", "main")
    git(repo, "checkout", "-qb", "fix")
    (repo / "shop.py").write_text(SHOP.replace("sum(prices)", "-sum(prices)"))
    git(repo, "commit", "-qam", "fix")
    source = Repository.open(repo)
    assert changed_functions(source) == changed_functions(source, "main") == [("shop.py", "total")]
    assert changed_functions(source, "HEAD") == []
    (repo / "shop.py").write_text((repo / "shop.py").read_text().replace("len(prices)", "-len(prices)"))
    assert changed_functions(source) == changed_functions(source, "HEAD") == [("shop.py", "count")]
    assert changed_functions(source, "main") == [("shop.py", "total"), ("shop.py", "count")]
    git(repo, "checkout", "-q", ".")
    git(repo, "checkout", "-q", "main")
    assert changed_functions(source) == []
