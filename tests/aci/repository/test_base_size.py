"""A hostile repository whose few objects stand for paths of megabytes, or for millions of files."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User, run
from trajectories.errors import UsageError
from trajectories.pack_writer import object_id, write_pack
from trajectories.trees import Trees


def bomb(root: Path, levels: int, name: bytes, width: int = 1) -> str:
    """A commit with an empty file below so many folders, each of them `width` times in the one above it."""
    blob = object_id("blob", b"")
    tree, objects = b"100644 f\0" + bytes.fromhex(blob), {blob: ("blob", b"")}
    for _ in range(levels):
        id = object_id("tree", tree)
        objects[id] = ("tree", tree)
        names = [name] if width == 1 else [b"%03d" % at for at in range(width)]
        tree = b"".join(b"40000 " + each + b"\0" + bytes.fromhex(id) for each in names)
    top = object_id("tree", tree)
    write_pack({**objects, top: ("tree", tree)}, root / ".git" / "objects" / "pack")
    return run(root, "commit-tree", "-m", "bomb", top)


@pytest.mark.parametrize(
    ("levels", "name", "width", "why"),
    [(400, b"n" * 200, 1, "a path of"), (3, b"", 200, "too large"), (600, b"n", 1, "levels")],
    ids=["long path", "many files", "many levels"],
)
@pytest.mark.parametrize("how", ["bare", "rev", "index"])
def test_base_that_cannot_be_listed_is_refused(tmp_path, levels, name, width, why, how) -> None:
    user = User(tmp_path / "user")
    user.commit(**{"a.txt": b"a\n"})
    evil = bomb(user.root, levels, name, width)
    if how != "rev":
        run(user.root, "update-ref", "HEAD", evil)
    if how == "bare":
        run(user.root, "config", "core.bare", "true")
        (user.root / ".git" / "index").unlink()
    repository = Repository.open(user.root / ".git" if how == "bare" else user.root)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with Trees(tmp_path / "trees.git") as trees:
        with pytest.raises(UsageError, match=why):
            repository.base(trees, evil if how == "rev" else None)
        with pytest.raises(UsageError, match=why), repository.blobs(evil if how == "rev" else None):
            pass
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before < 200_000


def test_base_of_usual_size_is_listed(tmp_path) -> None:
    user = User(tmp_path / "user")
    user.commit(**{"a/b/c.txt": b"a\n", "d.txt": b"d\n"})
    with Trees(tmp_path / "trees.git") as trees:
        assert list(trees.files(Repository.open(user.root).base(trees).tree)) == ["a/b/c.txt", "d.txt"]


def test_size_is_that_which_git_lists(tmp_path: Path) -> None:
    """git lists a folder whose content has another id, so its files count too."""
    user = User(tmp_path / "user")
    user.commit(**{"a.txt": b"a\n"})
    entry = b"40000 top\0" + bytes.fromhex(run(user.root, "rev-parse", f"{bomb(user.root, 3, b'', 200)}^{{tree}}"))
    id = object_id("tree", b"other content")
    root = b"40000 folder\0" + bytes.fromhex(id)
    top = object_id("tree", root)
    write_pack({id: ("tree", entry), top: ("tree", root)}, user.root / ".git" / "objects" / "pack")
    commit = run(user.root, "commit-tree", "-m", "bomb", top)
    with Trees(tmp_path / "trees.git") as trees, pytest.raises(UsageError, match="too large"):
        Repository.open(user.root).base(trees, commit)
