"""Files that git does not track: ignored ones, and virtual environments."""

from __future__ import annotations

import shlex
import venv
from pathlib import Path

import pytest

from aci.repository.plain_folder import open_folder
from aci.repository.untracked_files import ignored_files, lines_with, without_environments
from aci.repository.user_repository import Repository
from aci.repository.working_tree import WorkingTree
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


KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 8 + "\n-----END RSA PRIVATE KEY-----\n"
PASSWORD = "db: postgres://ada:correct-horse@db.example.org/shop\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env", "DEBUG=1\n"),
        ("conf/production.env", "x\n"),
        ("id_rsa", "anything\n"),
        ("server.pem", "anything\n"),
        ("notes.txt", KEY),
        ("deploy.yml", PASSWORD),
        ("deploy", PASSWORD),
        ("app.conf", "user = ada\npassword = hunter2Zq9xkLm\n"),
        ("settings.yaml", 'db_password: "hunter2Zq9xkLm"\n'),
        ("with\nline\xe9.json", PASSWORD),
    ],
)
def test_untracked_credentials_are_not_part_of_the_base(user: User, trees: Trees, path: str, text: str) -> None:
    user.write(path, text.encode())
    user.write("new.py", b"x = 1\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    assert base.left_out == (path,)
    assert set(contents(trees, base.tree)) == {"a.py", "b.py", "dir/c.py", "new.py"}
    assert base.changes == 1
    with repository.blobs() as blobs:
        assert path not in {file.path for file in blobs.files()}
    assert WorkingTree(repository, trees).tree() == base.tree
    assert repository.base(trees, allowed=(path,)).left_out == ()
    user.git("add", "-A")
    assert repository.base(trees).left_out == (), "what git tracks is part of the base"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env.example", "KEY=\n"),
        ("test_url.py", PASSWORD),
        ("READ.md", PASSWORD),
        ("a.yml", "x: 1\n"),
        ("ci.yml", "password: ${{ secrets.PASSWORD }}\n"),
    ],
)
def test_untracked_work_is_part_of_the_base(user: User, trees: Trees, path: str, text: str) -> None:
    user.write(path, text.encode())
    base = Repository.open(user.root).base(trees)
    assert base.left_out == ()
    assert path in contents(trees, base.tree)


def test_key_in_utf16_is_not_part_of_the_base(user: User, trees: Trees) -> None:
    user.write("key.txt", KEY.encode("utf-16"))
    assert Repository.open(user.root).base(trees).left_out == ("key.txt",)


def test_applied_key_with_other_line_ends_is_part_of_the_base(user: User, trees: Trees) -> None:
    trees.write({"server.pem": KEY.encode()}, Repository.open(user.root).base(trees).tree)
    user.configure("core.autocrlf", "true")
    user.write("server.pem", KEY.replace("\n", "\r\n").encode())
    assert Repository.open(user.root).base(trees).left_out == ()


def test_untracked_file_whose_content_the_run_has_is_part_of_the_base(user: User, trees: Trees) -> None:
    """A patch may add a key for a test; after it was applied, the file must not look deleted."""
    repository = Repository.open(user.root)
    base = repository.base(trees)
    applied = trees.write({"tests/server.pem": KEY.encode()}, base.tree)
    user.write("tests/server.pem", KEY.encode())
    assert repository.base(trees).tree == applied
    user.write("tests/server.pem", KEY.replace("MII", "MIJ").encode())
    assert repository.base(trees).left_out == ("tests/server.pem",)


def test_credentials_in_a_plain_folder_are_not_part_of_the_base(tmp_path: Path, trees: Trees) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.py").write_text("x = 1\n")
    (tmp_path / "folder" / ".env").write_text("DEBUG=1\n")
    base = open_folder(tmp_path / "folder", tmp_path / "state").base(trees)
    assert set(contents(trees, base.tree)) == {"a.py"}
    assert base.left_out == (".env",)
