"""A hostile repository whose few objects expand to paths of megabytes or to millions of files."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User, run
from trajectories.errors import UsageError
from trajectories.git_store.packs import object_id, write_pack
from trajectories.git_store.trees import Trees

pytestmark = pytest.mark.slow


def bomb(root: Path, levels: int, name: bytes, width: int = 1) -> str:
    """Create a commit with an empty file below `levels` nested folders, each listed `width` times in its parent."""
    blob = object_id("blob", b"")
    tree, objects = b"100644 f\0" + bytes.fromhex(blob), {blob: ("blob", b"")}
    for _ in range(levels):
        id = object_id("tree", tree)
        objects[id] = ("tree", tree)
        names = [name] if width == 1 else [b"%03d" % n for n in range(width)]
        tree = b"".join(b"40000 " + entry_name + b"\0" + bytes.fromhex(id) for entry_name in names)
    top = object_id("tree", tree)
    write_pack({**objects, top: ("tree", tree)}, root / ".git" / "objects" / "pack")
    return run(root, "commit-tree", "-m", "bomb", top)


@pytest.mark.parametrize(
    ("levels", "name", "width", "message"),
    [(400, b"n" * 200, 1, "a path of"), (3, b"", 200, "too large"), (600, b"n", 1, "levels")],
    ids=["long path", "many files", "many levels"],
)
@pytest.mark.parametrize("source", ["bare", "rev", "index"])
def test_base_too_large_to_list_is_refused(tmp_path, levels, name, width, message, source) -> None:
    user = User(tmp_path / "user")
    user.commit(**{"a.txt": b"a\n"})
    evil = bomb(user.root, levels, name, width)
    if source != "rev":
        run(user.root, "update-ref", "HEAD", evil)
    if source == "bare":
        run(user.root, "config", "core.bare", "true")
        (user.root / ".git" / "index").unlink()
    repository = Repository.open(user.root)
    assert repository.bare == (source == "bare")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with Trees(tmp_path / "trees.git") as trees, pytest.raises(UsageError, match=message):
        repository.base(trees, evil if source == "rev" else None)
    if source != "index":  # the working tree has few files, whatever HEAD is
        with pytest.raises(UsageError, match=message), repository.blobs(evil if source == "rev" else None) as blobs:
            list(blobs.files())
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before < 200_000


def test_tree_of_many_folders_without_files_is_refused(tmp_path) -> None:
    user = User(tmp_path / "user")
    user.commit(**{"a.txt": b"a\n"})
    tree, objects = b"", {}
    for _ in range(40):
        id = object_id("tree", tree)
        objects[id] = ("tree", tree)
        tree = b"".join(b"40000 " + name + b"\0" + bytes.fromhex(id) for name in (b"a", b"b"))
    top = object_id("tree", tree)
    write_pack({**objects, top: ("tree", tree)}, user.root / ".git" / "objects" / "pack")
    commit = run(user.root, "commit-tree", "-m", "bomb", top)
    with Repository.open(user.root).blobs(commit) as blobs, pytest.raises(UsageError, match="too large"):
        list(blobs.files())


def test_base_of_normal_size_is_listed(tmp_path) -> None:
    user = User(tmp_path / "user")
    user.commit(**{"a/b/c.txt": b"a\n", "d.txt": b"d\n"})
    with Trees(tmp_path / "trees.git") as trees:
        assert list(trees.files(Repository.open(user.root).base(trees).tree)) == ["a/b/c.txt", "d.txt"]


def test_size_limit_counts_folder_that_does_not_match_its_id(tmp_path: Path) -> None:
    """git lists a folder even if its content does not match its id, so its files count too."""
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
