"""What a base image is given from the host: the repository's quarantined history, and the pack of the base tree."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aci.aside import Aside
from aci.daemon import Daemon
from aci.preparing import AsRoot
from aci.service import printing
from aci.shell import quote
from aci.workspace import Options
from trajectories.plumbing import decode

if TYPE_CHECKING:
    from docker.models.containers import Container

HISTORY, PACK = "history.git", "base.pack"
_LITTLE = 30_000  # bytes that go through a shell


@contextmanager
def base_files(daemon: Daemon, options: Options) -> Iterator[Callable[[], Path]]:
    """A folder with the quarantined history and the pack of the base tree, made meanwhile and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="swe-agent-base-"))

    def make() -> Path:
        options.repository.history(options.base, folder / HISTORY)
        (folder / PACK).write_bytes(options.trees.pack(options.base.tree))
        return folder

    made = Aside(make, "base")
    try:
        yield made.answer
    finally:
        made.wait()
        daemon.later(lambda _: shutil.rmtree(folder, ignore_errors=True))  # a folder takes milliseconds to go


def send(container: Container, as_root: AsRoot, folder: Path, home: str) -> None:
    """Put what lies in the folder into the container's `home`.

    Little is written by its shell, as the daemon takes 40 ms to unpack an archive.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    if sum(path.stat().st_size for path in files) <= _LITTLE:
        as_root(_writing({f"{home}/{path.relative_to(folder)}": path.read_bytes() for path in files}), {})
        return
    archive = folder / "all.tar"
    with tarfile.open(archive, "w") as tar:
        for name in (HISTORY, PACK):
            tar.add(folder / name, f"{home[1:]}/{name}", filter=_of_root)
    with archive.open("rb") as stream:
        container.put_archive("/", stream)


def _writing(files: Mapping[str, bytes]) -> str:
    """The shell commands that write the files, and make the folders that every git directory has."""
    folders = {name.rpartition("/")[0] for name in files}
    folders |= {f"{folder}/refs/heads" for folder in folders if folder.endswith(f"/{HISTORY}")}
    lines = [b"set -e", b"umask 022", b"mkdir -p " + b" ".join(map(quote, sorted(folders)))]
    lines += [b"%b > %b" % (printing(data), quote(name)) for name, data in files.items()]
    return decode(b"\n".join(lines))


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o700 if entry.isdir() else 0o400
    return entry
