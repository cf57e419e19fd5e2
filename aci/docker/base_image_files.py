"""The files that the host copies into a base image: the repository's history up to the base commit, and the base tree's
pack."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aci.docker.docker_daemon import Daemon
from aci.docker.image_builder import RootShell
from aci.runtime.control_shell import print_command
from aci.runtime.shell_session import quote
from aci.runtime.workspace import BackgroundTask, WorkspaceOptions
from trajectories.git_store.git_commands import decode

if TYPE_CHECKING:
    from docker.models.containers import Container

HISTORY, PACK = "history.git", "base.pack"
_SMALL = 30_000  # maximum number of bytes that are sent through a shell


@contextmanager
def base_files(daemon: Daemon, options: WorkspaceOptions) -> Iterator[Callable[[], Path]]:
    """Create a temporary folder with the history up to the base commit and the base tree's pack, using a background
    thread.

    Yields a function that waits until the folder is ready.
    """
    folder = Path(tempfile.mkdtemp(prefix="swe-agent-base-"))

    def make() -> Path:
        options.repository.history(options.base, folder / HISTORY)
        (folder / PACK).write_bytes(options.trees.pack(options.base.tree))
        return folder

    task = BackgroundTask(make, "base")
    try:
        yield task.answer
    finally:
        task.wait()
        daemon.later(lambda _: shutil.rmtree(folder, ignore_errors=True))  # removing a folder takes milliseconds


def send_files(container: Container, as_root: RootShell, folder: Path, home: str) -> None:
    """Copy the folder's files to the container's `home`.

    Small files are written by the container's shell, since the daemon takes 40 ms to unpack an archive.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    if sum(path.stat().st_size for path in files) <= _SMALL:
        as_root(_write_script({f"{home}/{path.relative_to(folder)}": path.read_bytes() for path in files}), {})
        return
    archive = folder / "all.tar"
    with tarfile.open(archive, "w") as tar:
        for name in (HISTORY, PACK):
            tar.add(folder / name, f"{home[1:]}/{name}", filter=_owned_by_root)
    with archive.open("rb") as stream:
        container.put_archive("/", stream)


def _write_script(files: Mapping[str, bytes]) -> str:
    """Return the shell commands that write the files and create the folders that every git directory needs."""
    folders = {name.rpartition("/")[0] for name in files}
    folders |= {f"{folder}/refs/heads" for folder in folders if folder.endswith(f"/{HISTORY}")}
    lines = [b"set -e", b"umask 022", b"mkdir -p " + b" ".join(map(quote, sorted(folders)))]
    lines += [b"%b > %b" % (print_command(data), quote(name)) for name, data in files.items()]
    return decode(b"\n".join(lines))


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o700 if entry.isdir() else 0o400
    return entry
