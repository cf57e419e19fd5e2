"""Packs from containers: untrusted bytes are checked and imported into a store, or rejected as a whole."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from trajectories.errors import SweAgentError
from trajectories.git_store.git_commands import GitFailed, decode, folders, start_git, sync_folder

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
