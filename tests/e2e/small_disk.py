"""A small file system in memory that only some processes see, and that can be filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

AS_USER = () if os.geteuid() == 0 else ("--user", "--map-root-user")
MOUNT = 'mount -t tmpfs -o size=$1 none "$0" && echo mounted && exec cat'


@dataclass
class SmallDisk:
    """A file system at `folder` in the mount namespace of the process `pid`."""

    folder: Path
    pid: int

    @property
    def seen(self) -> Path:
        """The folder, for processes outside of the namespace."""
        return Path(f"/proc/{self.pid}/root{self.folder}")

    @property
    def ballast(self) -> Path:
        return self.seen / "ballast"

    def fill(self, free: int = 0) -> None:
        """Fill the disk, except for `free` KB."""
        subprocess.run(self.filling(free, self.seen), shell=True, check=True, stderr=subprocess.DEVNULL)

    def filling(self, free: int, folder: Path | None = None) -> str:
        """Return the shell command that does the same inside the namespace."""
        ballast = f"{folder or self.folder}/ballast"
        return f"cat /dev/zero > {ballast}; truncate -s -{free}K {ballast}"

    def free(self) -> None:
        self.ballast.unlink()

    def run(self, command: list[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command that sees the disk."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", f"--wd={folder}"]
        enter += ["--user", "--preserve-credentials"] if AS_USER else []
        return subprocess.run(
            [*enter, "--", *command], env=environment, capture_output=True, text=True, timeout=200,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a file system of this size (`6m`) at a new folder. Skips the test where this is not possible."""
    folder.mkdir(parents=True)
    try:
        process = subprocess.Popen(
            ["unshare", "--mount", *AS_USER, "sh", "-c", MOUNT, str(folder), size],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        if process.stdout.readline() != "mounted\n":
            pytest.skip(f"no file system can be mounted here: {process.stderr.read().strip()}")
        try:
            yield SmallDisk(folder, process.pid)
        finally:
            process.stdin.close()
