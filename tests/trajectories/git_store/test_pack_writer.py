"""Objects written without git are identical to git's."""

from __future__ import annotations

import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trajectories.git_store import packs as pack_writer
from trajectories.git_store.packs import EMPTY_TREE, edit_tree, is_plain, object_id, write_pack
from trajectories.git_store.trees import Trees

NAMES = ["a", "b", "a-b", "a.b", "ab", "c"]


def paths(rng: random.Random) -> list[str]:
    return ["/".join(rng.choices(NAMES, k=rng.randint(1, 3))) for _ in range(rng.randint(1, 6))]


@pytest.fixture
def git_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trees:
    """A store that uses git for every operation."""
    return Trees(tmp_path / "slow.git")


@pytest.mark.parametrize("seed", range(40))
def test_edits_give_same_trees_as_git(
    seed: int, git_store: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, fast_store = random.Random(seed), Trees(tmp_path / "quick.git")
    tree = EMPTY_TREE
    for store in (fast_store, git_store):
        assert store.write({"x": b"1"}, store.adopt(b"", [])) != tree
    base = {path: path.encode() for path in paths(rng)}
    results = []
    for store, plain in ((fast_store, is_plain), (git_store, lambda _: False)):
        monkeypatch.setattr(pack_writer, "is_plain", plain)
        second_rng = random.Random(seed + 1000)
        tree = store.write(base, store.adopt(b"", []))
        other = store.write(dict.fromkeys(paths(second_rng), b"other"), tree)
        removed = store.write(dict.fromkeys(paths(second_rng)), other)
        overlaid = store.overlay(removed, tree, paths(second_rng))
        results.append(
            (tree, other, removed, overlaid, store.changed(tree, other), list(store.files(overlaid).items()))
        )
    assert results[0] == results[1]
    subprocess.run(["git", "--git-dir", str(fast_store.path), "fsck", "--strict"], check=True, capture_output=True)


def test_written_pack_is_valid_for_git(tmp_path: Path) -> None:
    store = Trees(tmp_path / "store.git")
    blobs = {object_id("blob", data): ("blob", data) for data in (b"", b"x" * 15, b"y" * 16, bytes(70_000))}
    write_pack(blobs, store.path / "objects" / "pack")
    git = ["git", "--git-dir", str(store.path)]
    packs = [str(path) for path in (store.path / "objects" / "pack").glob("*.idx")]
    subprocess.run([*git, "verify-pack", *packs], check=True, capture_output=True)
    assert all(store.read_blob(id) == data for id, (_, data) in blobs.items())


def test_small_pack_is_imported_by_another_store(tmp_path: Path) -> None:
    one, other = Trees(tmp_path / "one.git"), Trees(tmp_path / "other.git")
    first = one.write({"a/b": b"1", "c": b"2"}, one.adopt(b"", []))
    second = one.write({"a/b": b"3"}, first)
    other.add_pack(one.pack(first), first)
    other.add_pack(one.pack(second, [first]), second)
    assert other.read(second, "a/b") == b"3"
    assert other.changed(first, second) == one.changed(first, second)


def test_is_plain_accepts_only_ordinary_paths() -> None:
    assert all(map(is_plain, ["a", "a/b.py", ".gitignore", ".github/x.yml", "a-b/_c+d", ".x", "a..b"]))
    assert not any(
        map(is_plain, ["", "..", "a/.", "/a", "a/", ".git", "a/.GIT", ".gitmodules", "git~1", "a\\b", "é", "a b"])
    )


def test_removing_last_file_removes_folder() -> None:
    entries = {"t": {b"a": ("040000", "s"), b"b": ("100644", "0" * 40)}, "s": {b"c": ("100644", "1" * 40)}}
    tree, objects = edit_tree("t", [(None, "", "a/c")], entries.__getitem__)
    assert b"a" not in objects[tree][1]
    assert edit_tree("s", [(None, "", "c")], entries.__getitem__)[0] == EMPTY_TREE


def test_threads_can_write_same_tree_at_once(tmp_path: Path) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        base = trees.write({f"d/{n}.py": b"%d" % n for n in range(20)}, EMPTY_TREE)
        start = threading.Barrier(4)

        def write_trees(_: int) -> list[str]:
            start.wait()
            return [trees.write({"d/new.py": b"n%d" % n * 1000}, base) for n in range(20)]

        with ThreadPoolExecutor(4) as pool:
            trees_of_threads = list(pool.map(write_trees, range(4)))
        assert trees_of_threads == [trees_of_threads[0]] * 4
        assert not list((tmp_path / "trees.git/objects/pack").glob("tmp_*"))
