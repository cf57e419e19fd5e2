"""Plain folders without git, read like repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aci.repository import plain_folder
from aci.repository.plain_folder import open_folder, reopen_repository
from aci.repository.user_repository import Repository
from aci.repository.working_tree import WorkingTree
from trajectories.errors import NoRepository, UsageError
from trajectories.git_store.trees import Trees


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "notes"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a\r\n")
    (root / "sub" / "b.py").write_text("b = 1\n")
    (root / ".gitignore").write_text("*.log\n")
    (root / "x.log").write_text("noise\n")
    (root / "out").symlink_to(tmp_path)
    return root


def folder_state(root: Path) -> dict[str, tuple[int, bytes]]:
    files = [file for file in root.rglob("*") if file.is_file() and not file.is_symlink()]
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def test_files_are_read_and_folder_is_not_changed(folder: Path, tmp_path: Path) -> None:
    before = folder_state(folder)
    with pytest.raises(NoRepository):
        Repository.open(folder)
    repository = open_folder(folder, tmp_path / "state")
    assert repository.plain
    with Trees(tmp_path / "trees.git") as trees:
        base = repository.base(trees)
        assert base.changes == 0
        assert list(trees.files(base.tree)) == [".gitignore", "a.txt", "out", "sub/b.py"]
        assert trees.read(base.tree, "a.txt") == b"a\r\n"
        assert trees.files(base.tree)["out"].mode == "120000"
        repository.history(base, tmp_path / "history")
        with repository.blobs() as blobs:
            assert blobs.key == base.tree
    assert folder_state(folder) == before


@pytest.mark.slow
def test_reopened_folder_starts_from_applied_patch(folder: Path, tmp_path: Path) -> None:
    repository = open_folder(folder, tmp_path / "state")
    with Trees(tmp_path / "trees.git") as trees:
        base = repository.base(trees)
        tree = trees.write({"a.txt": b"a\r\nmore\r\n", "new.txt": b"n\n"}, base.tree)
        repository.apply(trees.diff(base.tree, tree), base)
        assert (folder / "a.txt").read_bytes() == b"a\r\nmore\r\n"
        assert WorkingTree(repository, trees).tree() == tree
        reopened = open_folder(folder, tmp_path / "state").base(trees)
        assert (reopened.tree, reopened.changes) == (tree, 0)
        assert reopened.commit != base.commit
        assert reopen_repository(str(folder), tmp_path / "state", base.commit).plain
    assert not (folder / ".git").exists()


def test_base_is_found_after_folder_becomes_repository(folder: Path, tmp_path: Path) -> None:
    commit = open_folder(folder, tmp_path / "state").commit()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    assert reopen_repository(str(folder), tmp_path / "state", commit).commit(commit) == commit
    with pytest.raises(UsageError):
        reopen_repository(str(folder), tmp_path / "other", commit)


def test_filters_in_gitattributes_are_not_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(f'[filter "x"]\n\tclean = touch {tmp_path}/ran\n[core]\n\tautocrlf = true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    (folder / ".gitattributes").write_text("* filter=x\n")
    repository = open_folder(folder, tmp_path / "state")
    with Trees(tmp_path / "trees.git") as trees:
        assert trees.read(repository.base(trees).tree, "a.txt") == b"a\r\n"
    assert not (tmp_path / "ran").exists()


def test_home_directory_and_large_folders_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    with pytest.raises(UsageError, match="your home directory"):
        open_folder(folder, tmp_path / "state")
    for above in (tmp_path, Path("/")):
        with pytest.raises(UsageError, match="holds your home directory"):
            open_folder(above, tmp_path / "state")
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(plain_folder, "MOST_BYTES", 5)
    with pytest.raises(UsageError, match="MB"):
        open_folder(folder, tmp_path / "state")
    monkeypatch.setattr(plain_folder, "MOST_FILES", 2)
    with pytest.raises(UsageError, match="4 files, more than 2"):
        open_folder(folder, tmp_path / "state")


def test_empty_folder_opens_and_nested_repository_is_left_out(tmp_path: Path, make_repo) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert open_folder(empty, tmp_path / "state").commit()
    inner = make_repo({"x": "x\n"})
    outer = tmp_path / "outer"
    outer.mkdir()
    inner.rename(outer / "inner")
    (outer / "y").write_text("y\n")
    repository = open_folder(outer, tmp_path / "state")
    with Trees(tmp_path / "trees.git") as trees:
        assert list(trees.files(repository.base(trees).tree)) == ["y"]
