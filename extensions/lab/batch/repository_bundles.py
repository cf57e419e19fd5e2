"""Transfer of a repository to another machine as a git bundle, once for each machine.

A copy is named by the hash of the original's refs, so it is never out of date and batches can share it. Limits: a
bundle contains the whole history and passes through memory; a shallow clone cannot be sent.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from aci.repository.disk_cache import cache_folder
from aci.repository.git_view import reading_environment
from aci.repository.user_repository import Repository
from trajectories.errors import UsageError, WorkspaceError
from trajectories.git_store.git_commands import GitFailed, create_store, git, git_environ, sync_folder
from trajectories.temporary_folders import temporary_folder


def hash_refs(root: Path) -> str:
    """Return the hash of the refs of the repository at `root`."""
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", env=reading_environment(root))
    return hashlib.sha256(listed).hexdigest()[:20]


def bundle(root: Path, commit: str) -> bytes:
    """Return a bundle of the whole repository at `root`, including a commit that need not be on a branch."""
    with temporary_folder() as made:
        git("bundle", "create", "-q", f"{made}/bundle", "--all", commit, env=reading_environment(root))
        return Path(made, "bundle").read_bytes()


def local_clone(original: Path, state: str, commit: str, get: Callable[[], bytes]) -> Path:
    """Return a repository on this machine that contains the commit.

    This is the original if its path works on this machine too, else a cached copy made from the bundle that `get`
    returns. Raises WorkspaceError if no copy can be made.
    """
    if _has(original, commit):
        return original
    from filelock import FileLock

    place = cache_folder() / "copies" / state / original.name
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(place.parent / "lock"):
            if not _has(place, commit):
                _unpack(get(), commit, place)
    except OSError as error:
        raise WorkspaceError(f"{place} cannot be written: {error.strerror}.", "Free space on that node.") from error
    return place


def _has(root: Path, commit: str) -> bool:
    try:
        return Repository.open(root).commit(commit) == commit
    except (UsageError, GitFailed):
        return False


def _unpack(data: bytes, commit: str, place: Path) -> None:
    """Unpack the bundled repository to `place` atomically, with its HEAD at the commit."""
    made = Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    try:
        create_store(made)
        (made / "bundle").write_bytes(data)
        env = git_environ({"GIT_DIR": str(made)})
        output = git("bundle", "unbundle", str(made / "bundle"), env=env)
        (made / "bundle").unlink()
        refs = [line.split(b" ", 1) for line in output.splitlines()]
        lines = [b"create %s %s\n" % (name, id) for id, name in refs if name != b"HEAD"]
        git("update-ref", "--stdin", env=env, input=b"".join(lines))
        (made / "HEAD").write_text(f"{commit}\n")
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)
