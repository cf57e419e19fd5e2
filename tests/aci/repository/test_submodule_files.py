"""Files of submodules: read from the git directories of the user's checkout only, and without their configuration."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aci.repository import submodule_files
from aci.repository.submodule_files import Submodules, find_submodules
from aci.repository.user_repository import Repository
from tests.conftest import MakeRepo, committed, git
from tests.submodule_repository import add_submodule
from trajectories.git_store.trees import Trees

SECRET = "this belongs to the user\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345\n"


def find(root: Path, trees: Trees, rev: str | None = None) -> Submodules:
    repository = Repository.open(root)
    return find_submodules(repository, trees.files(repository.base(trees, rev).tree))


def written(found: Submodules, folder: Path) -> dict[str, str]:
    """Write the files, and return them with their contents, and links with their targets."""
    shutil.rmtree(folder, ignore_errors=True)
    found.write(folder)
    files = [file for file in folder.rglob("*") if file.is_symlink() or file.is_file()]
    return {
        str(file.relative_to(folder)): str(file.readlink()) if file.is_symlink() else file.read_text() for file in files
    }


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return committed(tmp_path / "shop", {"cart.py": "TOTAL = 3\n"})


@pytest.fixture
def root(make_repo: MakeRepo, shop: Path) -> Path:
    """A repository with the submodule `vendor`."""
    root = make_repo({"a.py": ""})
    add_submodule(root, shop, "vendor")
    return root


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Another repository of the user."""
    return committed(tmp_path / "secret", {"secret.txt": SECRET})


def test_files_are_those_of_the_commit(root: Path, trees: Trees, tmp_path: Path) -> None:
    found = find(root, trees)
    assert [(each.path, each.is_changed) for each in found.present] == [("vendor", False)]
    (root / "vendor/cart.py").write_text("TOTAL = 4\n")
    (root / "vendor/new.py").write_text("")
    again = find(root, trees)
    assert again.present[0].is_changed
    assert written(found, tmp_path / "one") == written(again, tmp_path / "two") == {"vendor/cart.py": "TOTAL = 3\n"}


@pytest.mark.parametrize("change", ["edit", "untracked", "commit", "deleted"])
def test_changes_in_the_checkout_are_found(root: Path, trees: Trees, tmp_path: Path, change: str) -> None:
    vendor = root / "vendor"
    (vendor / "cart.py").touch()
    assert not find(root, trees).present[0].is_changed
    match change:
        case "edit":
            (vendor / "cart.py").write_text("TOTAL = 4\n")
        case "untracked":
            (vendor / "new.py").write_text("")
        case "deleted":
            (vendor / "cart.py").unlink()
        case "commit":
            (vendor / "cart.py").write_text("TOTAL = 4\n")
            git(vendor, "commit", "-q", "-a", "-m", "Another total")
    found = find(root, trees)
    assert found.present[0].is_changed
    assert written(found, tmp_path / "one") == {"vendor/cart.py": "TOTAL = 3\n"}
    git(root, "commit", "-q", "-a", "-m", "Update", "--allow-empty")
    assert find(root, trees).present[0].is_changed == (change != "commit")
    assert written(find(root, trees, "HEAD~1"), tmp_path / "two") == {"vendor/cart.py": "TOTAL = 3\n"}


def test_nested_submodules_links_and_pointers(root: Path, shop: Path, trees: Trees, tmp_path: Path) -> None:
    deep = committed(tmp_path / "deep", {".gitattributes": "*.bin filter=lfs -text\n", "model.bin": POINTER})
    other = committed(tmp_path / "other", {"b.py": ""})
    (other / "link").symlink_to("/etc/passwd")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "A link")
    add_submodule(other, deep, "lib/deep")
    add_submodule(root, other, "libs/other")
    git(root / "libs/other", "submodule", "-q", "absorbgitdirs")
    files = written(find(root, trees), tmp_path / "out")
    assert files.pop("libs/other/.gitmodules").startswith("[submodule")
    assert files == {
        "libs/other/b.py": "",
        "libs/other/lib/deep/.gitattributes": "*.bin filter=lfs -text\n",
        "libs/other/lib/deep/model.bin": POINTER,
        "libs/other/link": "/etc/passwd",
        "vendor/cart.py": "TOTAL = 3\n",
    }


def test_submodule_with_a_git_folder_of_its_own(make_repo: MakeRepo, shop: Path, trees: Trees, tmp_path: Path) -> None:
    root = make_repo({"a.py": ""})
    shutil.copytree(shop, root / "vendor")
    git(root, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
    git(root, "commit", "-q", "-m", "A submodule")
    assert written(find(root, trees), tmp_path / "out") == {"vendor/cart.py": "TOTAL = 3\n"}


def test_linked_worktree_has_submodules_of_its_own(root: Path, trees: Trees, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(root, "worktree", "add", "-q", str(tree))
    assert find(tree, trees) == Submodules()
    git(tree, "-c", "protocol.file.allow=always", "submodule", "-q", "update", "--init")
    assert written(find(tree, trees), tmp_path / "out") == {"vendor/cart.py": "TOTAL = 3\n"}


def test_submodule_that_is_not_checked_out(root: Path, trees: Trees, tmp_path: Path) -> None:
    git(root, "clone", "-q", str(root), str(tmp_path / "clone"))
    assert find(tmp_path / "clone", trees) == Submodules()
    git(root, "clone", "-q", "--bare", str(root), str(tmp_path / "bare.git"))
    assert find(tmp_path / "bare.git", trees) == Submodules()
    git(root, "submodule", "-q", "deinit", "--all")
    assert find(root, trees) == Submodules()


# Hostile checkouts


@pytest.mark.parametrize(
    "how",
    [
        *("another repository", "..", "link", "link to modules", "folder that is a link", "modules that are a link"),
        *("objects that are a link", "packs that are a link", "alternates", "commondir", "through a link"),
        *("long", "pipe"),
    ],
)
def test_files_of_other_repositories_are_not_read(
    root: Path, secret: Path, trees: Trees, tmp_path: Path, how: str
) -> None:
    commit = git(secret, "rev-parse", "HEAD")
    vendor, modules = root / "vendor", root / ".git/modules"
    git_dir = modules / "vendor"
    match how:
        case "another repository":
            (vendor / ".git").write_text(f"gitdir: {secret}/.git\n")
        case "..":
            (vendor / ".git").write_text(f"gitdir: ../.git/modules/../../../{secret.name}/.git\n")
        case "link":
            (vendor / ".git").unlink()
            (vendor / ".git").symlink_to(secret / ".git")
        case "link to modules":
            shutil.rmtree(git_dir)
            git_dir.symlink_to(secret / ".git")
        case "folder that is a link":
            shutil.rmtree(vendor)
            vendor.symlink_to(secret)
        case "modules that are a link":
            shutil.rmtree(modules)
            (tmp_path / "others").mkdir()
            shutil.copytree(secret / ".git", tmp_path / "others/vendor")
            modules.symlink_to(tmp_path / "others")
        case "objects that are a link":
            shutil.rmtree(git_dir / "objects")
            (git_dir / "objects").symlink_to(secret / ".git/objects")
        case "packs that are a link":
            git(secret, "gc", "-q")
            shutil.rmtree(git_dir / "objects/pack")
            (git_dir / "objects/pack").symlink_to(secret / ".git/objects/pack")
        case "alternates":
            (git_dir / "objects/info/alternates").write_text(f"{secret}/.git/objects\n")
        case "commondir":
            (git_dir / "commondir").write_text(f"{secret}/.git\n")
        case "through a link":
            shutil.move(vendor, root / "real")
            vendor.symlink_to("real")
        case "long":
            (vendor / ".git").write_text("gitdir: " + "../" * 9000)
        case "pipe":
            (vendor / ".git").unlink()
            os.mkfifo(vendor / ".git")
    git(root, "update-index", "--cacheinfo", f"160000,{commit},vendor")
    found = find(root, trees, git(root, "commit-tree", git(root, "write-tree"), "-m", "Secret"))
    assert found.present == []
    assert list(found.refused) == ["vendor"]
    assert written(found, tmp_path / "out") == {}


@pytest.mark.parametrize("setting", ["core.fsmonitor", "filter.x.clean", "filter.x.smudge", "filter.x.process"])
def test_configuration_of_a_submodule_has_no_effect(root: Path, trees: Trees, tmp_path: Path, setting: str) -> None:
    canary = tmp_path / "canary"
    canary.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\ncat\n")
    canary.chmod(0o755)
    vendor = root / "vendor"
    (vendor / ".gitattributes").write_text("*.py filter=x\n")
    git(vendor, "add", "-A")
    git(vendor, "commit", "-q", "-m", "Attributes")
    git(root, "commit", "-q", "-a", "-m", "Update")
    config = str(root / ".git/modules/vendor/config")
    git(root, "config", "--file", str(tmp_path / "included"), setting, str(canary))
    for name, value in ((setting, canary), ("core.worktree", "/etc"), ("include.path", tmp_path / "included")):
        git(root, "config", "--file", config, name, str(value))
    for hook in ("post-checkout", "post-index-change"):
        shutil.copy(canary, root / ".git/modules/vendor/hooks" / hook)
    os.utime(vendor / "cart.py", (1, 1))
    assert written(find(root, trees), tmp_path / "out")["vendor/cart.py"] == "TOTAL = 3\n"
    assert not (tmp_path / "started").exists()


def test_commit_that_is_missing_is_named(root: Path, trees: Trees) -> None:
    git(root, "update-index", "--cacheinfo", f"160000,{'1' * 40},vendor")
    [error] = find(root, trees).refused.values()
    assert error.message == f"The commit 1111111111 of vendor is not in {root}/.git/modules/vendor."
    assert error.fix == "Run `git submodule update --init --recursive`."


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
@pytest.mark.parametrize("folder", ["", "objects", "refs", "objects/pack"])
def test_unreadable_git_directory_is_named(root: Path, trees: Trees, folder: str) -> None:
    place = root / ".git/modules/vendor" / folder
    place.chmod(0)
    try:
        found = find(root, trees)
    finally:
        place.chmod(0o755)
    assert list(found.refused) + [each.path for each in found.present] == ["vendor"]


def test_names_in_gitmodules_have_no_effect(root: Path, secret: Path, trees: Trees, tmp_path: Path) -> None:
    (root / ".gitmodules").write_text(f'[submodule "../../{secret.name}/.git"]\n\tpath = vendor\n\turl = {secret}\n')
    assert written(find(root, trees), tmp_path / "out") == {"vendor/cart.py": "TOTAL = 3\n"}


def test_partial_clone_fetches_nothing(root: Path, trees: Trees, shop: Path) -> None:
    git_dir = root / ".git/modules/vendor"
    for name, value in (("remote.origin.promisor", "true"), ("extensions.partialclone", "origin")):
        git(root / "vendor", "config", name, value)
    id = git(root / "vendor", "rev-parse", "HEAD:cart.py")
    file = git_dir / "objects" / id[:2] / id[2:]
    assert file.exists()
    file.unlink()
    [error] = find(root, trees).refused.values()
    assert error.message == f"Some files of vendor are not in {git_dir}."
    assert not file.exists()


@pytest.mark.parametrize(
    ("limit", "most"), [("MOST_FILES", 0), ("MOST_BYTES", 5), ("MOST_DEPTH", 0), ("MOST_SUBMODULES", 0)]
)
def test_limits(root: Path, trees: Trees, monkeypatch: pytest.MonkeyPatch, limit: str, most: int) -> None:
    monkeypatch.setattr(submodule_files, limit, most)
    found = find(root, trees)
    assert found.present == []
    assert list(found.refused) == ["vendor"]
