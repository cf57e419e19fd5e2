"""Files that git does not track: ignored ones, and virtual environments."""

from __future__ import annotations

import shlex
import venv
from pathlib import Path

import pytest

from aci.repository.untracked_files import ignored_files, lines_with, without_environments
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import BYTES, User, contents
from trajectories.git_store.trees import Trees


def test_untracked_environments_are_not_part_of_the_base(user: User, trees: Trees) -> None:
    venv.create(user.root / "my env", symlinks=True)
    (user.root / "my env/.gitignore").unlink(missing_ok=True)
    user.write("sub/venv/pyvenv.cfg")
    user.write(b"sub/venv/" + BYTES)
    user.write("sub/venvs.py", b"kept\n")
    assert "my env/pyvenv.cfg" in user.git("ls-files", "-o"), "nothing else ignores it"
    base = Repository.open(user.root).base(trees)
    assert set(contents(trees, base.tree)) == {"a.py", "b.py", "dir/c.py", "sub/venvs.py"}
    assert base.changes == 1


def test_tracked_environment_is_part_of_the_base(user: User, trees: Trees) -> None:
    user.write("env/pyvenv.cfg")
    user.commit(**{"env/x.py": b""})
    user.write("env/x.py", b"changed\n")
    assert contents(trees, Repository.open(user.root).base(trees).tree)["env/x.py"] == b"changed\n"


@pytest.mark.parametrize(
    ("untracked", "left"),
    [
        ([b"a.py", b"env/pyvenv.cfg", b"env/bin/python", b"envs/b.py"], [b"a.py", b"envs/b.py"]),
        ([b"a/env/pyvenv.cfg", b"a/env/b", b"env/b"], [b"env/b"]),
        ([b"pyvenv.cfg", b"a.py"], [b"pyvenv.cfg", b"a.py"]),
        ([b"env/my-pyvenv.cfg", b"env/b"], [b"env/my-pyvenv.cfg", b"env/b"]),
        ([], []),
    ],
)
def test_paths_in_environments_are_left_out(untracked: list[bytes], left: list[bytes]) -> None:
    assert without_environments(untracked) == left


def test_ignored_files_are_listed_and_whole_folders_once(user: User) -> None:
    user.commit(**{".gitignore": b"*.so\n__pycache__\nout/\n"})
    for name in ("dir/x.so", "dir/__pycache__/c.pyc", "out/a/b", "new.py", "new/a.py", "new/y.so"):
        user.write(name)
    user.write(BYTES + b".so")
    (user.root / "link.so").symlink_to(user.root / "dir")
    found = set(ignored_files(user.root))
    named = {"dir/x.so", "dir/__pycache__/", "out/", "new/y.so", "link.so"}
    assert found == {*named, (BYTES + b".so").decode("utf-8", "surrogateescape")}


def test_tracked_files_are_not_ignored(user: User) -> None:
    user.write("x.so")
    user.git("add", "x.so")
    user.commit(**{".gitignore": b"*.so\n"})
    assert ignored_files(user.root) == []


def test_no_words_find_no_lines(user: User) -> None:
    assert lines_with(user.root, []) == ""


def test_program_of_the_repository_does_not_run(user: User, tmp_path: Path) -> None:
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\n: >{shlex.quote(str(tmp_path / 'ran'))}\n")
    program.chmod(0o755)
    user.git("config", "core.fsmonitor", str(program))
    ignored_files(user.root)
    lines_with(user.root, ["a"])
    assert not (tmp_path / "ran").exists()
    user.git("status")
    assert (tmp_path / "ran").exists(), "git runs it otherwise"
