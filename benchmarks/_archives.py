"""Files of a commit, and of other tar archives, in a folder."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from trajectories.git_store.git_commands import QUIET, environment, git


def unpack_commit(repository: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into `folder`. Raises GitFailed if the repository has no such commit."""
    archived = git("-C", str(repository), "archive", "--format=tar", commit, env=environment(QUIET))
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        unpack(archive, folder)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract an archive as the filter `data` of tarfile does, also where Python has no filters (3.11.0 to 3.11.3).

    Raises tarfile.TarError for a member or link that leads out of the folder, and for special files.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
        return
    root = Path(os.path.realpath(folder))
    for member in archive:  # one by one: what a name means depends on the links extracted before it
        _check_member(member, root)
        member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
        member.mode = member.mode & 0o755 | 0o600
        archive.extract(member, root)


def _check_member(member: tarfile.TarInfo, root: Path) -> None:
    """Raise ExtractError if the member is special, or if its path or the target of its link is outside of `root`."""
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise tarfile.ExtractError(f"{member.name} is a special file.")
    path = root / member.name
    paths = [path]
    if member.issym():
        paths.append(path.parent / member.linkname)
    elif member.islnk():
        paths.append(root / member.linkname)
    if any(not Path(os.path.realpath(each)).is_relative_to(root) for each in paths):
        raise tarfile.ExtractError(f"{member.name} leads out of the folder.")
