"""The order of commits in the user's repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository


def is_ancestor(repository: Repository, commit: str, later: str) -> bool:
    """Whether `commit` is `later` or one of its ancestors; False for commits that the repository does not have."""
    ids = [repository._commit(commit), repository._commit(later)]
    return all(ids) and not repository._git("rev-list", "--max-count=1", ids[0], f"^{ids[1]}")
