"""Packs and trees built in Python for a few small objects, which is many times faster than a `git` process for each.

Packs from containers are read here too: untrusted bytes are checked and imported into a store, or rejected as a whole.
"""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import IO, BinaryIO

from trajectories.errors import SweAgentError
from trajectories.git_store.git_commands import GitFailed, decode, encode, folders, start_git, sync_folder

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Objects = Mapping[str, tuple[str, bytes]]
"""Git objects: id -> (`blob` or `tree`, bytes)."""

Entries = dict[bytes, tuple[str, str]]
"""The entries of a folder: name -> (mode, id)."""

_KINDS = {"tree": 2, "blob": 3}
_FOLDER = "040000"
_PLAIN = re.compile(r"\.git(?:ignore|attributes|keep|hub)|(?!\.\.?$|\.git)[\w.+-]+", re.ASCII | re.IGNORECASE)
"""File names that mean the same on every file system. All other names are checked by git."""


def is_plain(path: str) -> bool:
    return all(map(_PLAIN.fullmatch, path.split("/")))


def object_id(kind: str, data: bytes) -> str:
    return sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


def build_pack(objects: Objects) -> bytes:
    """Return a pack of the objects, without deltas."""
    return _packed(objects)[0]


def write_pack(objects: Objects, folder: Path) -> None:
    """Write a pack and its index into the folder; both are on disk when this returns. Raises OSError."""
    pack, places = _packed(objects)
    name = folder / f"pack-{pack[-20:].hex()}"
    for end, data in (
        (".pack", pack),
        (".idx", _index(pack[-20:], places)),
    ):  # the .idx last: git sees the pack once its index exists
        _keep(data, name.with_name(name.name + end))
    sync_folder(folder)


def _keep(data: bytes, file: Path) -> None:
    # a unique name, since other processes may write the same pack; git cleans up files called tmp_*
    with tempfile.NamedTemporaryFile(prefix="tmp_", dir=file.parent, delete=False) as out:
        new = Path(out.name)
        try:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
            new.chmod(0o444)
            new.replace(file)
        except OSError:
            new.unlink(missing_ok=True)
            raise


def _packed(objects: Objects) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Return the pack, and the (CRC, offset) of each object."""
    parts = [struct.pack(">4sLL", b"PACK", 2, len(objects))]
    at, places = len(parts[0]), {}
    for id, (kind, data) in objects.items():
        size, first = len(data) >> 4, _KINDS[kind] << 4 | len(data) & 15
        head = bytearray()
        while size:
            head.append(first | 0x80)
            size, first = size >> 7, size & 0x7F
        part = bytes(head) + bytes([first]) + zlib.compress(data)
        places[id] = zlib.crc32(part), at
        parts.append(part)
        at += len(part)
    whole = b"".join(parts)
    return whole + sha1(whole).digest(), places


def _index(checksum: bytes, places: Mapping[str, tuple[int, int]]) -> bytes:
    ids = sorted(places)
    counts = [0] * 256
    for id in ids:
        counts[int(id[:2], 16)] += 1
    fan, total = [], 0
    for count in counts:
        total += count
        fan.append(total)
    n = len(ids)
    data = b"\377tOc" + struct.pack(">L256L", 2, *fan) + bytes.fromhex("".join(ids))
    data += struct.pack(f">{n}L", *(places[id][0] for id in ids)) + struct.pack(
        f">{n}L", *(places[id][1] for id in ids)
    )
    data += checksum
    return data + sha1(data).digest()


def edit_tree(
    tree: str, lines: Iterable[tuple[str | None, str, str]], entries: Callable[[str], Entries]
) -> tuple[str, dict[str, tuple[str, bytes]]]:
    """Apply changes in order; each is (mode, id, path), with None as the mode of a removal. Return the new tree, and
    the objects of new folders.

    Setting a file removes entries that conflict with its path; empty folders are removed.
    """
    inside: dict[bytes, list[tuple[str | None, str, bytes]]] = {}
    here: Entries = dict(entries(tree)) if tree else {}
    made: dict[str, tuple[str, bytes]] = {}
    for mode, id, path in lines:
        name, slash, rest = encode(path).partition(b"/")
        if slash:
            if mode is not None and here.get(name, (_FOLDER, ""))[0] != _FOLDER:
                here.pop(name)
            inside.setdefault(name, []).append((mode, id, rest))
        elif mode is not None:
            inside.pop(name, None)
            here[name] = mode, id
        elif here.get(name, (_FOLDER, ""))[0] != _FOLDER:
            here.pop(name)
    for name, changes in inside.items():
        kind, below = here.get(name, (_FOLDER, ""))
        if kind != _FOLDER:
            continue  # all these changes remove entries that do not exist
        child, new = edit_tree(below, [(mode, id, decode(rest)) for mode, id, rest in changes], entries)
        here.pop(name, None)
        if child != EMPTY_TREE:
            here[name] = _FOLDER, child
            made |= new
    data = _folder(here)
    id = object_id("tree", data)
    if id != tree:
        made[id] = "tree", data
    return id, made


def _folder(entries: Entries) -> bytes:
    """Return a tree object. git sorts folders as if their names ended with a slash."""
    order = sorted(entries.items(), key=lambda item: item[0] + b"/" * (item[1][0] == _FOLDER))
    return b"".join(b"%b %b\0%b" % (mode.lstrip("0").encode(), name, bytes.fromhex(id)) for name, (mode, id) in order)


def parse_tree(raw: bytes) -> Entries:
    """Return the entries of a tree object."""
    at, found = 0, {}
    while at < len(raw):
        space = raw.index(b" ", at)
        end = raw.index(b"\0", space)
        found[raw[space + 1 : end]] = (raw[at:space].decode().zfill(6), raw[end + 1 : end + 21].hex())
        at = end + 21
    return found


PACK_LIMIT = 200_000_000
PACK_SECONDS = 120.0
PACK_MEMORY = 1 << 30
PACKING_SECONDS = 600.0
CAPPED = 'ulimit -v "$0" 2>/dev/null; exec "$@"'  # macOS does not support this limit
CAPPED_FILE = 'ulimit -v "$0" 2>/dev/null; ulimit -f "$1"; shift; exec "$@"'
"""Like CAPPED, but also limits the size of each file that git writes, in blocks of 512 bytes."""


class PackRefused(SweAgentError):
    """Objects from a container were rejected: broken, dangerous (`.git` or `..` in a tree), or too large."""


def index_pack(
    stream: BinaryIO, scratch: Path, store: Path, env: Mapping[str, str], limit: int, spared: Sequence[str]
) -> None:
    """Check a thin pack in the empty folder `scratch`, complete it with objects of `store`, and move it durably into
    `store`.

    Raises PackRefused, with the store unchanged, if the pack exceeds `limit` bytes, PACK_MEMORY or PACK_SECONDS, or if
    git finds an object broken, incomplete or dangerous. Problems in the blobs with ids in `spared` are ignored. Raises
    GitFailed or OSError if the store's disk is full.
    """
    (scratch / "pack").mkdir()
    (scratch / "spared").write_text("".join(f"{id}\n" for id in spared))
    env = {
        **env,
        "GIT_OBJECT_DIRECTORY": str(scratch),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(store / "objects"),
    }
    capped = ("sh", "-c", CAPPED, str(PACK_MEMORY >> 10))
    options = ("--strict=skiplist=spared", "--fix-thin", "--stdin")
    with tempfile.TemporaryFile() as stderr:
        process = start_git(
            *("index-pack", *options),
            env=env,
            cwd=scratch,
            within=capped,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        whole, status = _feed(stream, process, limit)
        if not whole:
            raise PackRefused(f"The packed files exceed {limit / 1e6:,.0f} MB.", "Remove or ignore them.")
        if status:
            stderr.seek(0)
            raise _refusal("index-pack", status, stderr.read(20_000))
    packs = store / "objects" / "pack"
    for file in sorted((scratch / "pack").glob("pack-*"), key=lambda file: file.suffix == ".idx"):
        file.rename(packs / file.name)  # the .idx last: git sees the pack once its index exists
    sync_folder(packs)


def pack_objects(ids: bytes, into: Path, env: Mapping[str, str], limit: int) -> None:
    """Repack objects of an untrusted store into files named `into`-*.pack. Raises PackRefused if git exceeds `limit`
    bytes, PACK_MEMORY or PACKING_SECONDS, or cannot read an object. Raises GitFailed if the disk is full."""
    capped = ("sh", "-c", CAPPED_FILE, str(PACK_MEMORY >> 10), str(limit >> 9))
    options = ("-q", "--no-reuse-object", str(into))
    with start_git(
        "pack-objects", *options, env=env, within=capped, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            _, stderr = process.communicate(ids, PACKING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise PackRefused(f"git did not pack the files within {PACKING_SECONDS:.0f} s.") from None
    if process.returncode == -signal.SIGXFSZ or b"File too large" in stderr:
        raise PackRefused(f"The packed files exceed {limit / 1e6:,.0f} MB.")
    if process.returncode:
        raise _refusal("pack-objects", process.returncode, stderr[-20_000:])


def _feed(stream: BinaryIO, process: subprocess.Popen[bytes], limit: int) -> tuple[bool, int]:
    """Return (whether the stream was within the limit, the process's exit status)."""
    timer = threading.Timer(PACK_SECONDS, process.kill)
    timer.start()
    try:
        assert process.stdin
        with suppress(BrokenPipeError), process.stdin as pipe:  # if git ends early, its exit status shows why
            if not _copy(stream, pipe, limit):
                return False, -1
        return True, process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def _copy(stream: BinaryIO, pipe: IO[bytes], limit: int) -> bool:
    left = limit
    while chunk := stream.read(1 << 16):
        left -= len(chunk)
        if left < 0:
            return False
        pipe.write(chunk)
    return True


def _refusal(command: str, status: int, stderr: bytes) -> PackRefused:
    """Return the error for objects that git rejected. Raises GitFailed if git could not write them."""
    failed = GitFailed(command, status, stderr)
    if failed.is_disk_full:
        raise failed
    lines = [line for line in decode(stderr).splitlines() if line.startswith(("error:", "fatal:"))]
    return PackRefused(f"git rejects the files: {'; '.join(lines)[:1000] or f'it ended with status {status}'}")
