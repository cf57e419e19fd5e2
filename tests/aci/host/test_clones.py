"""Clones of a repository in a temporary folder: equal to the base, and separate from each other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aci.host.clones import OBJECTS, PARTS, Clone, CloneFamily
from aci.host.generated_files import GeneratedFiles
from aci.repository import process_owner
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from tests.conftest import MakeRepo, git
from trajectories.errors import WorkspaceError
from trajectories.git_store.trees import Trees

OpenFamily = Callable[..., CloneFamily]


@pytest.fixture
def root(make_repo: MakeRepo) -> Path:
    """A repository with two commits, an ignored file and an uncommitted change."""
    root = make_repo({"a.py": "a = 1\n", ".gitignore": "*.log\n"})
    (root / "b.py").write_text("b = 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "The second commit")
    (root / "a.py").write_text("a = 2\n")
    (root / "ignored.log").write_text("")
    return root


@pytest.fixture
def open_family(tmp_path: Path, root: Path) -> Iterator[OpenFamily]:
    """`open_family(generated, …)` returns a family of the repository; its folder is below `tmp_path/temporary`."""
    (tmp_path / "temporary").mkdir()
    with Trees(tmp_path / "trees.git") as trees:
        repository = Repository.open(root)
        options = WorkspaceOptions(repository, repository.base(trees), trees)

        def open_one(generated: GeneratedFiles | None = None, **more: Any) -> CloneFamily:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
                return CloneFamily(options, generated or GeneratedFiles(), **more)

        yield open_one


def repo(clone: Clone) -> Path:
    return Path(clone.part("repo"))


def objects(folder: Path) -> set[int]:
    """Return the inodes of all files of a folder."""
    return {file.stat().st_ino for file in folder.rglob("*") if file.is_file()}


def test_clone_equals_the_base(open_family: OpenFamily, root: Path) -> None:
    family = open_family()
    clone = family.create()
    assert sorted(os.listdir(clone.folder)) == sorted([*PARTS, "store.git"])  # noqa: PTH208
    assert {file.name for file in repo(clone).iterdir()} == {".git", ".gitignore", "a.py", "b.py"}
    assert (repo(clone) / "a.py").read_text() == "a = 2\n"
    assert git(repo(clone), "log", "--format=%s") == "The second commit\nThe first commit"
    assert git(repo(clone), "status", "--porcelain") == "M a.py"
    assert git(repo(clone), "remote") == ""
    assert (family.folder / "owner").read_text() == process_owner.own_mark()


def test_no_object_of_a_clone_is_shared_by_a_hard_link(open_family: OpenFamily) -> None:
    family = open_family()
    clones = [family.create(), family.create()]
    git(repo(clones[0]), "commit", "-q", "-a", "-m", "Mine")
    of_family = objects(family.history) | objects(family.store)
    own = [objects(clone.folder) for clone in clones]
    assert of_family
    assert own[0].isdisjoint(of_family | own[1])
    assert own[1].isdisjoint(of_family)
    for clone, store in ((each, part) for each in clones[1:] for part in ("repo/.git", "store.git")):
        assert [file.name for file in (clone.folder / store / "objects").rglob("*") if file.is_file()] == ["alternates"]


def test_clones_and_their_histories_are_independent(open_family: OpenFamily) -> None:
    family = open_family()
    one, two = family.create(), family.create()
    (repo(one) / "a.py").write_text("a = 3\n")
    git(repo(one), "commit", "-q", "-a", "-m", "Mine")
    git(repo(one), "gc", "-q", "--prune=now")
    assert git(repo(two), "log", "-1", "--format=%s") == "The second commit"
    assert (repo(two) / "a.py").read_text() == "a = 2\n"
    assert git(repo(two), "fsck") == ""
    assert git(repo(family.create()), "log", "-1", "--format=%s") == "The second commit"


def test_objects_have_fixed_paths_in_a_sandbox(open_family: OpenFamily) -> None:
    clone = open_family(is_sandboxed=True).create()
    for part, name in (("repo/.git", "history"), ("store.git", "store")):
        assert (clone.folder / part / "objects/info/alternates").read_text() == f"{OBJECTS}/{name}\n"


def test_generated_and_mounted_files_are_no_changes(open_family: OpenFamily, tmp_path: Path) -> None:
    (tmp_path / "node_modules/left").mkdir(parents=True)
    (tmp_path / "fast.so").write_text("fast")
    generated = GeneratedFiles(
        {"fast.so": tmp_path / "fast.so"}, {"v.py": b"v = 1\n"}, {"node_modules": tmp_path / "node_modules"}
    )
    (tmp_path / "odd").write_text("odd")
    odd = "x [1]*\\y.so"
    generated.copied[odd] = tmp_path / "odd"
    family = open_family(generated, mounted=["venv"])
    for folder in (repo(family.create()), repo(family.create())):
        (folder / "venv").mkdir()
        (folder / "venv/x").touch()
        assert ((folder / "fast.so").read_text(), (folder / "v.py").read_text()) == ("fast", "v = 1\n")
        assert (folder / odd).read_text() == "odd"
        assert (folder / "node_modules/left").resolve() == tmp_path / "node_modules/left"
        assert git(folder, "status", "--porcelain") == "M a.py"
        (folder / "fast.so").write_text("changed")
    assert (tmp_path / "fast.so").read_text() == "fast"


def test_packages_in_a_sandbox_have_a_fixed_path(open_family: OpenFamily, tmp_path: Path) -> None:
    (tmp_path / "node_modules/left").mkdir(parents=True)
    generated = GeneratedFiles(packages={"node_modules": tmp_path / "node_modules"})
    clone = open_family(generated, is_sandboxed=True).create()
    assert str((repo(clone) / "node_modules/left").readlink()) == "/swe-agent/packages/node_modules/left"


def test_last_clone_removes_the_family(open_family: OpenFamily) -> None:
    family = open_family()
    one, two = family.create(), family.create()
    family.remove(one.name)
    assert not one.folder.exists()
    assert git(repo(two), "log", "-1", "--format=%s") == "The second commit"
    family.remove(two.name)
    assert not family.folder.exists()


def test_part_is_renewed_without_following_links(open_family: OpenFamily, tmp_path: Path) -> None:
    clone = open_family().create()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    Path(clone.part("tmp"), "link").symlink_to(tmp_path / "outside")
    assert os.listdir(clone.renew("tmp")) == []  # noqa: PTH208
    Path(clone.part("tmp")).rmdir()
    Path(clone.part("tmp")).symlink_to(tmp_path / "outside")
    clone.renew("tmp")
    assert not Path(clone.part("tmp")).is_symlink()
    assert (tmp_path / "outside/file").exists()


def test_failed_clone_leaves_nothing(open_family: OpenFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises((WorkspaceError, FileNotFoundError)):
        open_family()
    assert list((tmp_path / "temporary").iterdir()) == []
