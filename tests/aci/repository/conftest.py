"""A user's repository and the trees of a run."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trajectories.git_store.trees import Trees

BYTES = b"name \xff\xfe"


class User:
    """A user working in a git repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "trunk")

    def git(self, *args: str | bytes, input: bytes | None = None) -> str:
        return run(self.root, *args, input=input)

    def configure(self, name: str, value: str) -> None:
        """Set a value in the user's own configuration of git, not in that of the repository."""
        self.git("config", "--global", name, value)

    def write(self, path: str | bytes, data: bytes = b"text\n") -> Path:
        file = self.root / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def commit(self, **files: bytes) -> str:
        for path, data in files.items():
            self.write(path, data)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"Commit {time.monotonic_ns()}")
        return self.git("rev-parse", "HEAD")

    def state(self) -> dict[str, tuple[int, bytes]]:
        """Return mode and content of every file in the repository, including `.git`."""
        files = (file for file in self.root.rglob("*") if file.is_symlink() or file.is_file())
        return {
            str(file.relative_to(self.root)): (
                file.lstat().st_mode,
                os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes(),
            )
            for file in files
        }


def run(root: Path, *args: str | bytes, input: bytes | None = None) -> str:
    return (
        subprocess.run(["git", *args], cwd=root, check=True, capture_output=True, input=input).stdout.decode().strip()
    )


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        '[user]\n\tname = Ada\n\temail = ada@example.org\n[protocol "file"]\n\tallow = always\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture
def user(tmp_path: Path) -> User:
    user = User(tmp_path / "project")
    user.commit(**{"a.py": b"a = 1\n", "b.py": b"b = 1\n", "dir/c.py": b"c = 1\n"})
    return user


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with Trees(tmp_path / "run" / "trees.git") as trees:
        yield trees


def contents(trees: Trees, tree: str) -> dict[str, bytes]:
    return {path: trees.read(tree, path) for path, entry in trees.files(tree).items() if entry.mode != "160000"}
