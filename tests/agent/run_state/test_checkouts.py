"""Checkouts that use what is stored for a repository: the first one, and those that the user linked."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aci.history.repository_identity import Identity, find_identity
from aci.repository.user_repository import Repository
from agent.run_state.checkouts import (
    Checkout,
    OtherCheckout,
    claim_stored,
    link_checkout,
    stored_identity,
)
from tests.conftest import git
from trajectories.errors import ConfigError

INFINITE = '[{"path": "x", "device": 1, "inode": Infinity, "token": "x"}]'


@pytest.fixture
def project(make_repo: Callable[..., Path]) -> Path:
    folder = make_repo({"a.py": "x = 1\n"})
    git(folder, "remote", "add", "origin", "https://github.com/owner/project")
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def use(state: Path, folder: Path) -> str:
    """Return the key under which a checkout uses what is stored. Raises OtherCheckout."""
    source = Repository.open(folder)
    identity = stored_identity(state, source, source.commit())
    assert identity is not None
    return identity.key


def store(state: Path, folder: Path) -> str:
    """Store a summary as a run in a checkout does, and return the key under which it is stored."""
    source = Repository.open(folder)
    identity = stored_identity(state, source, source.commit())
    assert identity is not None
    claim_stored(state, source, identity)
    write(state / "summaries" / identity.key / "0.txt")
    return identity.key


def write(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("- It sums.\n")


def link(state: Path, folder: Path) -> list[Checkout]:
    source = Repository.open(folder)
    identity = identity_of(source)
    return link_checkout(state, source, identity)


def identity_of(source: Repository) -> Identity:
    identity = find_identity(source, source.commit())
    assert identity is not None
    return identity


def copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to, symlinks=True))


def cloned(folder: Path, to: Path) -> Path:
    subprocess.run(["git", "clone", "-q", str(folder), str(to)], check=True)
    return to


def restored(folder: Path, to: Path) -> Path:
    """Replace the checkout by a copy at the same path."""
    copy(folder, to)
    shutil.rmtree(folder)
    return to.rename(folder)


@pytest.mark.parametrize("make", [copy, cloned, restored])
def test_other_checkout_needs_a_link(
    state: Path, project: Path, tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    store(state, project)
    other = make(project, tmp_path / "other")
    with pytest.raises(OtherCheckout, match=r"belongs to another checkout \(\S+/repo1\)") as raised:
        use(state, other)
    assert raised.value.fix == "If this checkout is yours too, run `swe-agent experience link` in it."
    assert link(state, other)[-1].folder == str(other)
    assert use(state, other)
    if other != project:
        assert use(state, project), "the first one still uses it"


def test_moved_checkout_and_linked_worktree_need_no_link(state: Path, project: Path, tmp_path: Path) -> None:
    store(state, project)
    git(project, "worktree", "add", "-q", str(tmp_path / "worktree"))
    assert use(state, tmp_path / "worktree") == use(state, project)
    git(project, "worktree", "remove", str(tmp_path / "worktree"))
    assert use(state, project.rename(tmp_path / "moved"))


def test_inode_that_was_used_again_is_another_checkout(state: Path, project: Path) -> None:
    """An archive that is unpacked after the checkout was removed may get its path and inode."""
    store(state, project)
    for text in (b"", b"another", b"long " * 1000):
        (project / ".git" / "swe-agent.checkout").write_bytes(text)
        with pytest.raises(OtherCheckout):
            use(state, project)
    (project / ".git" / "swe-agent.checkout").unlink()
    with pytest.raises(OtherCheckout):
        use(state, project)
    link(state, project)
    assert use(state, project)


def test_checkout_with_changed_permissions_needs_no_link(state: Path, project: Path) -> None:
    store(state, project)
    subprocess.run(["chmod", "-R", "u+rwX", str(project)], check=True)
    assert use(state, project)


def test_checkout_that_only_reads_is_not_recorded(state: Path, project: Path, tmp_path: Path) -> None:
    other = copy(project, tmp_path / "other")
    use(state, other)
    store(state, project)
    assert use(state, project)


def test_first_of_two_checkouts_at_the_same_time_wins(state: Path, project: Path, tmp_path: Path) -> None:
    folders = [project, *(copy(project, tmp_path / f"copy{number}") for number in range(3))]
    sources = [Repository.open(folder) for folder in folders]
    identity = identity_of(sources[0])

    def claim(source: Repository) -> bool:
        try:
            claim_stored(state, source, identity)
            return True
        except OtherCheckout:
            return False

    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(claim, sources)) == 1


@pytest.mark.parametrize("damage", ["", "{}", "[]", '[{"path": 1}]', "[1]", "[" * 100_000, INFINITE])
def test_damaged_record_gives_access_to_no_one(state: Path, project: Path, damage: str) -> None:
    file = state / "checkouts" / f"{store(state, project)}.json"
    file.write_text(damage)
    with pytest.raises((ConfigError, OtherCheckout), match=r"cannot be read|names no checkout"):
        use(state, project)


@pytest.mark.parametrize("stored", ["experience/{}/worked/run-1.toml", "memory/{}.md", "summaries/{}/0.txt"])
def test_earlier_version_that_names_no_checkout_needs_a_link(state: Path, project: Path, stored: str) -> None:
    key = use(state, project)
    write(state / stored.format(key))
    with pytest.raises(OtherCheckout, match="names no checkout that it belongs to"):
        use(state, project)
    link(state, project)
    assert use(state, project) == key
