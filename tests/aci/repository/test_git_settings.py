"""Every setting of git that can start a program, read a file or contact a server: none acts while a repository is read,
or when a patch is delivered."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aci.repository.untracked_files import ignored_files, is_ignored, lines_with
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User
from tests.aci.repository.git_settings import unjudged
from tests.aci.repository.hostile_repository import (
    PLACES,
    Canaries,
    canary_server,
    hostile_environment,
    hostile_repository,
)
from trajectories.errors import SweAgentError, UsageError
from trajectories.git_store.trees import Trees

HERE = ("config", "include", "includeIf", "worktree")
"""The places in the repository's own git directory."""


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    with canary_server(Canaries(tmp_path / "canaries")) as canaries:
        yield canaries


def test_every_setting_that_git_knows_is_judged() -> None:
    """For a new name of a new git: what can its value do? Then add it to `git_settings.py`, or to the harmless ones."""
    printed = subprocess.run(["git", "help", "--config"], capture_output=True, check=True, text=True).stdout
    names = [line for line in printed.splitlines() if "." in line and " " not in line]
    assert len(names) > 500
    assert unjudged(names) == []


@pytest.mark.parametrize("place", PLACES)
def test_the_canaries_work(canaries: Canaries, tmp_path: Path, place: str) -> None:
    folder = hostile_repository(canaries, tmp_path / "repo", place)
    folder = folder / "sub" if place == "submodule" else folder
    for command in ("status", "log", "diff HEAD --", "commit --allow-empty -m x", "fetch"):
        subprocess.run(["git", *command.split()], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL)
    named = {"core.fsmonitor", "core.hooksPath--pre-commit"}
    named |= {"gpg.program"} | ({"filter.canary.clean", "filter.a=b.clean"} if place in HERE else {"diff.external"})
    assert {f"{place}--{name}" for name in named} <= canaries.fired
    assert canaries.contacts or f"{place}--core.gitProxy" in canaries.fired
    with pytest.raises(AssertionError, match="programs ran"):
        canaries.check()


def use(repository: Repository, trees: Trees, folder: Path) -> None:
    """Call everything that reads a repository or delivers a patch to it."""
    root = repository.root
    base = repository.base(trees)
    repository.base(trees, "HEAD")
    for rev in (None, "HEAD"):
        with repository.blobs(rev) as blobs:
            list(blobs.read([file.id for file in blobs.files()]))
    repository.history(base, folder / "history")
    repository.release(base.commit)
    repository.configured("user.name")
    tree = trees.write({"calc/core.py": b"def add(a, b):\n    return a + b\n"}, base.tree)
    diff = trees.diff(base.tree, tree)
    repository.check_delivery(True, "fix")
    assert not repository.applied(diff)
    repository.apply(diff, base)
    assert repository.applied(diff)
    assert repository.branch("fix", base, tree, trees, "Fix")
    assert not is_ignored(root, root / "a.py")
    ignored_files(root)
    assert lines_with(root, ["add"])


@pytest.mark.parametrize("place", [*HERE, "submodule"])
def test_no_setting_acts_while_a_repository_is_read(
    canaries: Canaries, trees: Trees, tmp_path: Path, place: str
) -> None:
    root = hostile_repository(canaries, tmp_path / "repo", place)
    canaries.reset()
    (root / "calc" / "new.py").write_text("x = 1\n")
    use(Repository.open(root), trees, tmp_path)
    canaries.check(tmp_path / "history", trees.path)


def test_programs_that_the_caller_names_are_not_started(
    canaries: Canaries, trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = hostile_repository(canaries, tmp_path / "repo", "config")
    canaries.reset()
    with monkeypatch.context() as callers:
        for name, value in hostile_environment(canaries).items():
            callers.setenv(name, value)
        use(Repository.open(root), trees, tmp_path)
    canaries.check(tmp_path / "history", trees.path)


def test_refs_in_another_folder_are_refused(user: User, tmp_path: Path) -> None:
    user.git("config", "core.repositoryFormatVersion", "1")
    user.git("config", "extensions.refStorage", f"files://{tmp_path}/refs")
    with pytest.raises(UsageError, match="has its refs in another place"):
        Repository.open(user.root)


def partial_clone(user: User, canaries: Canaries, root: Path) -> Path:
    """Return a clone whose objects git would fetch with a program that the repository names, in any command that reads
    them."""
    user.git("config", "uploadpack.allowFilter", "true")
    user.commit(**{"a.py": b"a = 2\n"})
    command = ["git", "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{user.root}", str(root)]
    subprocess.run(command, check=True)
    lines = f'[remote "origin"]\n\tuploadpack = {canaries.program("promisor--uploadpack")}\n'
    with (root / ".git" / "config").open("a") as config:
        config.write(lines)
    subprocess.run(["git", "show", "HEAD"], cwd=root, capture_output=True)
    assert canaries.fired == {"promisor--uploadpack"}
    canaries.reset()
    return root


def test_objects_that_a_partial_clone_lacks_are_not_fetched(
    user: User, canaries: Canaries, trees: Trees, tmp_path: Path
) -> None:
    root = partial_clone(user, canaries, tmp_path / "partial")
    for work in (
        lambda: Repository.open(root).base(trees, "HEAD"),
        lambda: use(Repository.open(root), trees, tmp_path),
    ):
        with suppress(SweAgentError):  # a sentence says that objects are missing
            work()
    canaries.check()


def test_a_work_tree_in_another_folder_is_refused(user: User, tmp_path: Path) -> None:
    """Its files would enter the base: a repository could name `~/.ssh`."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("swordfish\n")
    for named in (str(other), "../../other", f"{user.root}/../other"):
        user.git("config", "core.worktree", named)
        with pytest.raises(UsageError, match="are in another folder"):
            Repository.open(user.root)
    user.git("config", "core.worktree", str(user.root))
    assert Repository.open(user.root).root == user.root
