"""No setting of git that can start a program acts in a commit of a session, except the user's own hooks and filters."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from extensions.interactive.session.user_commit import commit
from tests.aci.repository.conftest import User
from tests.aci.repository.hostile_repository import FUTURE, Canaries, hostile_repository
from tests.aci.repository.test_git_settings import HERE, partial_clone
from trajectories.errors import SweAgentError, UsageError
from trajectories.git_store.trees import Trees

HOOKS = r"\w+--(core\.hooksPath--|hooks--|hook\.)"
"""The canaries of hooks: those in a folder, and with a new git, those of the configuration."""


def try_to_commit(root: Path, trees: Trees, with_hooks: bool) -> None:
    repository = Repository.open(root)
    base = repository.base(trees, "HEAD")
    tree = trees.write({"calc/core.py": b"x = 1\n"}, base.tree)
    with suppress(UsageError):  # the user has no key to sign with
        commit(repository, trees, base, tree, "Change", with_hooks, "main")


@pytest.mark.parametrize("with_hooks", [False, True])
@pytest.mark.parametrize("place", [*HERE, "submodule"])
def test_a_commit_starts_nothing_but_hooks(
    canaries: Canaries, trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, with_hooks: bool
) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    root = hostile_repository(canaries, tmp_path / "repo", place)
    before = Repository.open(root).commit()
    canaries.reset()
    try_to_commit(root, trees, with_hooks)
    for name, value in (("COUNT", "1"), ("KEY_0", "commit.gpgSign"), ("VALUE_0", "false")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    try_to_commit(root, trees, with_hooks)
    assert Repository.open(root).commit() != before
    canaries.check(allowed=HOOKS if with_hooks else "(?!)")
    assert bool(canaries.fired) == (with_hooks and place != "submodule")


def test_the_users_filter_runs_in_a_commit_and_not_that_of_the_repository(
    user: User, canaries: Canaries, trees: Trees
) -> None:
    user.commit(**{".gitattributes": b"*.bin filter=lfs\n", "a.bin": b"a\n"})
    os.utime(user.root / "a.bin", (FUTURE, FUTURE))
    user.git("add", "-A")
    user.configure("filter.lfs.clean", str(canaries.program("users--filter")))
    user.git("config", "filter.lfs.clean", str(canaries.program("repositorys--filter")))
    canaries.reset()
    try_to_commit(user.root, trees, False)
    assert canaries.fired <= {"users--filter"}


def test_objects_that_a_partial_clone_lacks_are_not_fetched(
    user: User, canaries: Canaries, trees: Trees, tmp_path: Path
) -> None:
    root = partial_clone(user, canaries, tmp_path / "partial")
    with suppress(SweAgentError):  # a sentence says that objects are missing
        try_to_commit(root, trees, True)
    canaries.check()
