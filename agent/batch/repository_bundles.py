"""A repository on its way to a machine that does not have it: as a bundle, once a machine.

A copy is named by the hash of all that the original's refs point at, so it is never out of date, and batches share it.
Limits: a bundle holds the whole history and passes through memory; a shallow clone has none to send.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from aci.cache import folder
from aci.repository import Repository
from trajectories.errors import UsageError, WorkspaceError
from trajectories.plumbing import QUIET, GitFailed, create_store, environment, git, sync_folder


def state_of(root: Path) -> str:
    """The hash of what the refs of the repository at `root` point at."""
    return hashlib.sha256(_git(root, "for-each-ref", "--format=%(objectname) %(refname)")).hexdigest()[:20]


def bundle(root: Path, commit: str) -> bytes:
    """The whole repository at `root`, and a commit that no branch of it needs to have."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as made:
        _git(root, "bundle", "create", "-q", f"{made}/bundle", "--all", commit)
        return Path(made, "bundle").read_bytes()


def here(original: Path, state: str, commit: str, get: Callable[[], bytes]) -> Path:
    """A repository on this machine that has the commit: the original where its path leads to it here too, else a copy
    in the cache, made of the bundle that `get` brings. Raises WorkspaceError where none can be made."""
    if _has(original, commit):
        return original
    from filelock import FileLock

    place = folder() / "copies" / state / original.name
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(place.parent / "lock"):
            if not _has(place, commit):
                _unpack(get(), commit, place)
    except OSError as error:
        raise WorkspaceError(f"{place} cannot be written: {error.strerror}.", "Make room on that node.") from error
    return place


def _has(root: Path, commit: str) -> bool:
    try:
        return Repository.open(root).commit(commit) == commit
    except (UsageError, GitFailed):
        return False


def _unpack(data: bytes, commit: str, place: Path) -> None:
    """Make `place` the bundled repository, its HEAD at the commit, whole or not at all."""
    made = Path(tempfile.mkdtemp(prefix="new-", dir=place.parent))
    try:
        create_store(made)
        (made / "bundle").write_bytes(data)
        told = _git(made, "bundle", "unbundle", str(made / "bundle"))
        (made / "bundle").unlink()
        refs = [line.split(b" ", 1) for line in told.splitlines()]
        lines = [b"create %s %s\n" % (name, id) for id, name in refs if name != b"HEAD"]
        _git(made, "update-ref", "--stdin", input=b"".join(lines))
        (made / "HEAD").write_text(f"{commit}\n")
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _git(root: Path, *args: str, input: bytes = b"") -> bytes:
    return git("-C", str(root), *args, env=environment(QUIET), input=input)
