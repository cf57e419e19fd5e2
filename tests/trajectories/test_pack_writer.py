"""What is made here without git is what git makes."""

from __future__ import annotations

import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trajectories import trees as module
from trajectories.pack_writer import EMPTY_TREE, edit_tree, is_plain, object_id, write_pack
from trajectories.trees import Trees

NAMES = ["a", "b", "a-b", "a.b", "ab", "c"]


def paths(chance: random.Random) -> list[str]:
    return ["/".join(chance.choices(NAMES, k=chance.randint(1, 3))) for _ in range(chance.randint(1, 6))]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trees:
    """A store in which git does all."""
    return Trees(tmp_path / "slow.git")


@pytest.mark.parametrize("seed", range(40))
def test_edits_in_turn_give_trees_that_git_gives(
    seed: int, slow: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, quick = random.Random(seed), Trees(tmp_path / "quick.git")
    tree = EMPTY_TREE
    for store in (quick, slow):
        assert store.write({"x": b"1"}, store.adopt(b"", [])) != tree
    base = {path: path.encode() for path in paths(chance)}
    made = []
    for store, plain in ((quick, is_plain), (slow, lambda _: False)):
        monkeypatch.setattr(module, "is_plain", plain)
        again = random.Random(seed + 1000)
        tree = store.write(base, store.adopt(b"", []))
        other = store.write(dict.fromkeys(paths(again), b"other"), tree)
        removed = store.write(dict.fromkeys(paths(again)), other)
        laid = store.overlay(removed, tree, paths(again))
        made.append((tree, other, removed, laid, store.changed(tree, other), list(store.files(laid).items())))
    assert made[0] == made[1]
    subprocess.run(["git", "--git-dir", str(quick.path), "fsck", "--strict"], check=True, capture_output=True)


def test_pack_made_here_is_one_for_git(tmp_path: Path) -> None:
    store = Trees(tmp_path / "store.git")
    blobs = {object_id("blob", data): ("blob", data) for data in (b"", b"x" * 15, b"y" * 16, bytes(70_000))}
    write_pack(blobs, store.path / "objects" / "pack")
    git = ["git", "--git-dir", str(store.path)]
    packs = [str(path) for path in (store.path / "objects" / "pack").glob("*.idx")]
    subprocess.run([*git, "verify-pack", *packs], check=True, capture_output=True)
    assert all(store.read_blob(id) == data for id, (_, data) in blobs.items())


def test_pack_of_few_objects_is_taken_by_another_store(tmp_path: Path) -> None:
    one, other = Trees(tmp_path / "one.git"), Trees(tmp_path / "other.git")
    first = one.write({"a/b": b"1", "c": b"2"}, one.adopt(b"", []))
    second = one.write({"a/b": b"3"}, first)
    other.add_pack(one.pack(first), first)
    other.add_pack(one.pack(second, [first]), second)
    assert other.read(second, "a/b") == b"3"
    assert other.changed(first, second) == one.changed(first, second)


def test_what_is_plain() -> None:
    assert all(map(is_plain, ["a", "a/b.py", ".gitignore", ".github/x.yml", "a-b/_c+d", ".x", "a..b"]))
    assert not any(
        map(is_plain, ["", "..", "a/.", "/a", "a/", ".git", "a/.GIT", ".gitmodules", "git~1", "a\\b", "é", "a b"])
    )


def test_last_of_folder_takes_it_along() -> None:
    entries = {"t": {b"a": ("040000", "s"), b"b": ("100644", "0" * 40)}, "s": {b"c": ("100644", "1" * 40)}}
    tree, made = edit_tree("t", [(None, "", "a/c")], entries.__getitem__)
    assert b"a" not in made[tree][1]
    assert edit_tree("s", [(None, "", "c")], entries.__getitem__)[0] == EMPTY_TREE


def test_threads_that_make_same_tree_all_get_it(tmp_path: Path) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        base = trees.write({f"d/{n}.py": b"%d" % n for n in range(20)}, EMPTY_TREE)
        start = threading.Barrier(4)

        def make(_: int) -> list[str]:
            start.wait()
            return [trees.write({"d/new.py": b"n%d" % n * 1000}, base) for n in range(20)]

        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(make, range(4)))
        assert made == [made[0]] * 4
        assert not list((tmp_path / "trees.git/objects/pack").glob("tmp_*"))
