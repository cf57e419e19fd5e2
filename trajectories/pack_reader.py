"""Packs from a container: untrusted bytes become objects of a store, or nothing at all."""

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
from trajectories.plumbing import decode, folders, no_git, sync_folder

PACK_LIMIT = 200_000_000
PACK_SECONDS = 120.0
PACK_MEMORY = 1 << 30
PACKING_SECONDS = 600.0
CAPPED = 'ulimit -v "$0" 2>/dev/null; exec "$@"'  # macOS has no such limit
CAPPED_FILE = 'ulimit -v "$0" 2>/dev/null; ulimit -f "$1"; shift; exec "$@"'
"""Also limits each file that is written, in blocks of 512 bytes."""


class PackRefused(SweAgentError):
    """Objects from a container were not taken: broken, dangerous (`.git` or `..` in a tree), or too large."""


def index_pack(
    stream: BinaryIO, scratch: Path, store: Path, env: Mapping[str, str], limit: int, spared: Sequence[str]
) -> None:
    """Check a thin pack in the empty folder `scratch`, complete it from `store`, and move it there, durable.

    Raises PackRefused, the store as it was, for more than `limit` bytes, PACK_MEMORY or PACK_SECONDS, and for objects
    that git finds broken, incomplete or dangerous; what is in the blobs `spared` is no reason.
    """
    (scratch / "pack").mkdir()
    (scratch / "spared").write_text("".join(f"{id}\n" for id in spared))
    env = {
        **env,
        "GIT_OBJECT_DIRECTORY": str(scratch),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(store / "objects"),
    }
    command = [
        "sh",
        "-c",
        CAPPED,
        str(PACK_MEMORY >> 10),
        "git",
        "index-pack",
        "--strict=skiplist=spared",
        "--fix-thin",
        "--stdin",
    ]
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command,
                env=env,
                cwd=scratch,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise no_git() from None
        whole, status = _feed(stream, process, limit)
        if not whole:
            raise PackRefused(f"The files are more than {limit / 1e6:,.0f} MB packed.", "Remove or ignore them.")
        if status:
            said.seek(0)
            raise PackRefused(f"git refuses the files: {_reason(said.read(20_000), status)}")
    packs = store / "objects" / "pack"
    for file in sorted((scratch / "pack").glob("pack-*"), key=lambda file: file.suffix == ".idx"):
        file.rename(packs / file.name)  # the .idx last: with it the pack is there
    sync_folder(packs)


def pack_objects(ids: bytes, into: Path, env: Mapping[str, str], limit: int) -> None:
    """Pack objects of an untrusted store anew as `into`-*.pack. Raises PackRefused for more than `limit` bytes,
    PACK_MEMORY or PACKING_SECONDS, and for objects that git cannot read."""
    capped = ["sh", "-c", CAPPED_FILE, str(PACK_MEMORY >> 10), str(limit >> 9)]
    command = [*capped, "git", "pack-objects", "-q", "--no-reuse-object", str(into)]
    try:
        done = subprocess.run(
            command,
            env=env,
            input=ids,
            timeout=PACKING_SECONDS,
            capture_output=True,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise PackRefused(f"git did not pack the files within {PACKING_SECONDS:.0f} s.") from None
    if done.returncode == -signal.SIGXFSZ or b"File too large" in done.stderr:
        raise PackRefused(f"The files are more than {limit / 1e6:,.0f} MB packed.")
    if done.returncode:
        raise PackRefused(f"git refuses the files: {_reason(done.stderr[-20_000:], done.returncode)}")


def _feed(stream: BinaryIO, process: subprocess.Popen[bytes], limit: int) -> tuple[bool, int]:
    """(whether the stream was within the limit, the process's exit status)"""
    timer = threading.Timer(PACK_SECONDS, process.kill)
    timer.start()
    try:
        assert process.stdin
        with suppress(BrokenPipeError), process.stdin as pipe:  # if it ends early, its status tells why
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


def _reason(said: bytes, status: int) -> str:
    lines = [line for line in decode(said).splitlines() if line.startswith(("error:", "fatal:"))]
    return "; ".join(lines)[:1000] or f"it ended with status {status}"
