"""Packs from a container: incomplete or dangerous ones are refused and leave no files."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from pathlib import Path

import pytest

from trajectories.errors import UsageError
from trajectories.git_store.git_commands import create_store, git, git_environ
from trajectories.git_store.trees import EMPTY_TREE, PackRefused, Trees


def test_thin_pack_needs_objects_of_store(trees: Trees, tmp_path: Path) -> None:
    noise = b"".join(hashlib.sha256(str(n).encode()).hexdigest().encode() + b"\n" for n in range(4000))
    old = trees.write({"big": noise}, EMPTY_TREE)
    new = trees.write({"big": noise + b"more\n"}, old)
    pack = trees.pack(new, [old])
    assert len(pack) < 1000 < len(trees.pack(new))
    with Trees(tmp_path / "other.git") as other:
        with pytest.raises(PackRefused):
            other.add_pack(pack, new)
        other.add_pack(trees.pack(old))
        other.add_pack(pack, new)
        assert other.read(new, "big") == noise + b"more\n"


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b".", b"a/b", b"git~1", b".g\xe2\x80\x8cit", b""])
def test_dangerous_names_are_refused(trees: Trees, name: bytes) -> None:
    blob = b"#!/bin/sh\n"
    tree = b"100644 " + name + b"\0" + hashlib.sha1(b"blob 10\0" + blob).digest()
    assert_refused(trees, _pack(("blob", blob), ("tree", tree)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "name", "message"), [(1, b"d" * 4096, "a path of 4,"), (300_000, b"d" * 900, "too large")]
)
def test_very_long_paths_are_refused(trees: Trees, files: int, name: bytes, message: str) -> None:
    """A small pack whose listing would use all memory."""
    blob = hashlib.sha1(b"blob 1\0x").digest()
    inner = b"".join(b"100644 %06d\0" % n + blob for n in range(files))
    outer = b"40000 " + name + b"\0" + hashlib.sha1(b"tree %d\0" % len(inner) + inner).digest()
    pack = _pack(("blob", b"x"), ("tree", inner), ("tree", outer))
    with pytest.raises(PackRefused, match=message):
        trees.add_pack(pack, hashlib.sha1(b"tree %d\0" % len(outer) + outer).hexdigest())


def test_link_named_gitmodules_is_refused(trees: Trees) -> None:
    tree = b"120000 .gitmodules\0" + hashlib.sha1(b"blob 1\0x").digest()
    assert_refused(trees, _pack(("blob", b"x"), ("tree", tree)))


def test_unusual_content_is_accepted_only_if_base_has_it(trees: Trees, tmp_path: Path) -> None:
    submodules = b'[submodule "../x"]\n path = x\n url = -u\n'
    unusual_files = {".gitmodules": submodules, "sub/.gitattributes": b"*.x " + b"a" * 3000 + b"\n", "sub/b": b"1"}
    with Trees(tmp_path / "from.git") as source:
        before = source.write(unusual_files, EMPTY_TREE)
        after = source.write({"sub/b": b"2"}, before)
        changed_again = source.write({"sub/.gitmodules": submodules + b"#"}, before)
        trees.write(unusual_files, EMPTY_TREE)
        with pytest.raises(PackRefused):
            trees.add_pack(source.pack(after, [before]), after)
        trees.add_pack(source.pack(after, [before]), after, before=before)
        assert trees.read(after, "sub/b") == b"2"
        dangerous = _pack(("tree", b"100644 .git\0" + hashlib.sha1(b"blob 1\0x").digest()), ("blob", b"x"))
        for pack in (source.pack(changed_again, [before]), dangerous):
            with pytest.raises(PackRefused):
                trees.add_pack(pack, before=before)


def test_tree_without_its_files_is_refused(trees: Trees) -> None:
    assert_refused(trees, _pack(("tree", b"100644 a\0" + bytes(20 * [7]))))


def test_duplicate_and_unsorted_names_are_refused(trees: Trees) -> None:
    id = hashlib.sha1(b"blob 1\0x").digest()
    for names in ((b"a", b"a"), (b"b", b"a")):
        tree = b"".join(b"100644 " + name + b"\0" + id for name in names)
        assert_refused(trees, _pack(("blob", b"x"), ("tree", tree)))


@pytest.mark.parametrize("pack", [b"", b"PACK", b"garbage" * 100, b"PACK\0\0\0\2\xff\xff\xff\xff"])
def test_broken_packs_are_refused(trees: Trees, pack: bytes) -> None:
    assert_refused(trees, pack)


def test_pack_with_flipped_bit_is_refused(trees: Trees) -> None:
    pack = bytearray(_pack(("blob", os.urandom(1000))))
    pack[500] ^= 1
    assert_refused(trees, bytes(pack))


def test_pack_over_limit_is_refused(trees: Trees) -> None:
    pack = _pack(("blob", os.urandom(200_000)))
    with pytest.raises(PackRefused, match="MB"):
        trees.add_pack(pack, limit=100_000)
    with pytest.raises(PackRefused, match="MB"):
        trees.add_pack(EndlessPack(), limit=1_000_000)
    assert not leftovers(trees)
    trees.add_pack(pack)


@pytest.mark.slow
def test_compressed_huge_file_is_not_read_into_memory(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajectories.git_store.packs.PACK_MEMORY", 128 << 20)
    size, compressor, chunk = 200 << 20, zlib.compressobj(1), bytes(1 << 20)
    compressed = b"".join(compressor.compress(chunk) for _ in range(200)) + compressor.flush()
    trees.add_pack(with_checksum(1, _header("blob", size) + compressed))
    digest = hashlib.sha1(f"blob {size}\0".encode())
    for _ in range(200):
        digest.update(chunk)
    with pytest.raises(UsageError, match="too large"):
        trees.read_blob(digest.hexdigest())
    assert trees.has(trees.write({"a": b"still answers"}, EMPTY_TREE))


def test_pack_with_delta_bomb_is_refused(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajectories.git_store.packs.PACK_MEMORY", 128 << 20)
    assert_refused(trees, delta_bomb(8192))


@pytest.mark.slow
def test_store_with_delta_bomb_is_not_imported(trees: Trees, tmp_path: Path, monkeypatch) -> None:
    store = untrusted_store(tmp_path, delta_bomb(3200))
    monkeypatch.setattr("trajectories.git_store.packs.PACK_MEMORY", 128 << 20)
    with pytest.raises(PackRefused, match="memory"):
        trees.take_all(store / "objects")
    assert not leftovers(trees)


def test_store_that_expands_beyond_limit_is_not_imported(trees: Trees, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("trajectories.git_store.trees.STORE_LIMIT", 2_000_000)
    store = untrusted_store(tmp_path, delta_bomb(64, os.urandom(1 << 16)))
    with pytest.raises(PackRefused, match="2 MB"):
        trees.take_all(store / "objects")
    assert not leftovers(trees)


def test_trees_with_billions_of_files_are_refused(trees: Trees) -> None:
    objects = [("blob", b"")]
    id = hashlib.sha1(b"blob 0\0").digest()
    for level in range(12):
        mode = b"40000" if level else b"100644"
        tree = b"".join(mode + b" %x\0" % n + id for n in range(10))
        objects.append(("tree", tree))
        id = hashlib.sha1(b"tree %d\0" % len(tree) + tree).digest()
    with pytest.raises(PackRefused, match="too large"):
        trees.add_pack(_pack(*objects), id.hex())


def test_tree_that_is_too_deep_is_refused(trees: Trees) -> None:
    objects = [("blob", b"")]
    id, mode = hashlib.sha1(b"blob 0\0").digest(), b"100644"
    for _ in range(2000):
        tree = mode + b" a\0" + id
        objects.append(("tree", tree))
        id, mode = hashlib.sha1(b"tree %d\0" % len(tree) + tree).digest(), b"40000"
    with pytest.raises(PackRefused, match="levels"):
        trees.add_pack(_pack(*objects), id.hex())


def test_pack_without_expected_tree_is_refused(trees: Trees) -> None:
    with pytest.raises(PackRefused):
        trees.add_pack(_pack(("blob", b"x")), "1" * 40)
    with pytest.raises(PackRefused):
        trees.add_pack(_pack(("blob", b"x")), "--upload-pack=evil")


class EndlessPack(io.RawIOBase):
    """A pack whose sender does not stop."""

    def __init__(self) -> None:
        self._next = struct.pack(">4sII", b"PACK", 2, 1) + _header("blob", 1 << 40)
        self._compressor = zlib.compressobj(0)

    def read(self, size: int = -1) -> bytes:
        chunk, self._next = self._next, b""
        while not self._next:
            self._next = self._compressor.compress(bytes(100_000))
        return chunk or self.read()


def delta_bomb(copies: int, base: bytes = bytes(1 << 16)) -> bytes:
    """A pack of a blob of 64 kB and a delta that repeats it."""
    copy_all = bytes([0x80])  # of offset 0 and, in the absence of a size, 64 kB
    delta = _number(len(base)) + _number(len(base) * copies) + copy_all * copies
    first = _header("blob", len(base)) + zlib.compress(base)
    second = _header("delta", len(delta)) + hashlib.sha1(b"blob 65536\0" + base).digest() + zlib.compress(delta)
    return with_checksum(2, first + second)


def untrusted_store(folder: Path, pack: bytes) -> Path:
    """A store of an untrusted user with this pack."""
    create_store(folder / "theirs.git")
    git("index-pack", "--stdin", env=git_environ({"GIT_DIR": str(folder / "theirs.git")}), input=pack)
    return folder / "theirs.git"


def assert_refused(trees: Trees, pack: bytes) -> None:
    with pytest.raises(PackRefused):
        trees.add_pack(pack)
    assert not leftovers(trees)


def leftovers(trees: Trees) -> list[Path]:
    return [file for file in trees.path.rglob("*") if "pack" in file.name and file.is_file()] + list(
        trees.path.glob("new-*")
    )


def _header(kind: str, size: int) -> bytes:
    number = {"tree": 2, "blob": 3, "delta": 7}[kind]
    first, size = (number << 4) | (size & 15), size >> 4
    out = bytearray()
    while size:
        out.append(first | 128)
        first, size = size & 127, size >> 7
    return bytes([*out, first])


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def with_checksum(count: int, body: bytes) -> bytes:
    pack = struct.pack(">4sII", b"PACK", 2, count) + body
    return pack + hashlib.sha1(pack).digest()


def _pack(*objects: tuple[str, bytes]) -> bytes:
    return with_checksum(
        len(objects), b"".join(_header(kind, len(data)) + zlib.compress(data) for kind, data in objects)
    )
