"""Repository identity: clones share it, other repositories do not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aci.history.repository_identity import Identity, find_identity, normalise_url
from aci.repository.user_repository import Repository
from tests.conftest import committed, git


def identity_of(folder: Path) -> Identity | None:
    source = Repository.open(folder)
    return find_identity(source, source.commit())


def clone(folder: Path, to: Path, *flags: str) -> Path:
    subprocess.run(["git", "clone", "-q", *flags, f"file://{folder}", str(to)], check=True)
    return to


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Owner/Name",
        "https://github.com/owner/name.git",
        "https://user:secret@github.com/owner/name.git/",
        "https://user:p@ss@github.com/owner/name.git",
        "https://user:p ss@github.com/owner/name",
        "https://x-access-token:se/cret?@github.com/owner/name",
        "https://github.com:443/owner/name?token=secret#secret",
        "user:secret@github.com:owner/name",
        "git@github.com:owner/name.git",
        "ssh://git@github.com:22/owner/name",
        "git://www.github.com/owner/name.git",
    ],
)
def test_equivalent_urls_are_normalised_alike(url: str) -> None:
    assert normalise_url(url) == "github.com/owner/name"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://h.org/@scope/name", "h.org/@scope/name"),
        ("ssh://git@[::1]:22/owner/n@me", "[::1]/owner/n@me"),
        ("git@h.org:own@r/name", "h.org/own@r/name"),
    ],
)
def test_normalisation_removes_only_user_from_url(url: str, origin: str) -> None:
    assert normalise_url(url) == origin


def test_clone_of_clone_has_same_identity(make_repo: Callable[..., Path], tmp_path: Path) -> None:
    first = make_repo({"a.py": "x = 1\n"})
    again = clone(clone(first, tmp_path / "b"), tmp_path / "c")
    git(again, "commit", "-q", "--allow-empty", "-m", "More")
    assert identity_of(again) == identity_of(first)
    git(first, "remote", "add", "origin", "git@github.com:owner/name.git")
    assert (
        identity_of(again)
        == identity_of(first)
        == Identity(git(first, "rev-list", "--max-parents=0", "HEAD").strip(), "github.com/owner/name")
    )


def test_fork_and_other_repository_with_same_url_differ(tmp_path: Path) -> None:
    one = committed(tmp_path / "one", {"a.py": "x = 1\n"})
    other = committed(tmp_path / "other", {"a.py": "x = 2\n"})
    fork = clone(one, tmp_path / "fork")
    for folder, owner in ((one, "owner"), (other, "owner"), (fork, "somebody")):
        git(folder, "remote", *(("set-url",) if folder == fork else ("add",)), "origin", f"https://h.org/{owner}/name")
    keys = {identity.key for folder in (one, other, fork) if (identity := identity_of(folder))}
    assert len(keys) == 3
    assert all(key.startswith("name-") for key in keys)


def test_shallow_clone_has_no_identity(make_repo: Callable[..., Path], tmp_path: Path) -> None:
    first = make_repo({"a.py": "x = 1\n"})
    git(first, "commit", "-q", "--allow-empty", "-m", "More")
    assert identity_of(clone(first, tmp_path / "shallow", "--depth=1")) is None


def test_circular_or_missing_origin_is_accepted(make_repo: Callable[..., Path], tmp_path: Path) -> None:
    first = make_repo({"a.py": "x = 1\n"})
    git(first, "remote", "add", "origin", str(first))
    assert identity_of(first) is not None
    git(first, "remote", "set-url", "origin", str(tmp_path / "gone"))
    assert (identity := identity_of(first)) is not None
    assert identity.origin == str(tmp_path / "gone")


def test_key_is_valid_file_name() -> None:
    assert Identity("0" * 40, "/home/x/../my repo é/.git").key.count("/") == 0
    assert Identity("0" * 40, "").key.startswith("repository-")
    assert Identity("0" * 40, "x/" + "n" * 500).key < "n" * 60


@pytest.mark.parametrize("url", ["~unknown-user/x", "x" * 5000, "a b\tc", ":", "://", "file://", "ext::sh -c date"])
def test_any_origin_url_is_accepted(url: str, make_repo: Callable[..., Path]) -> None:
    first = make_repo({"a.py": "x = 1\n"})
    git(first, "config", "remote.origin.url", url)
    assert (identity := identity_of(first)) is not None
    assert "/" not in identity.key
