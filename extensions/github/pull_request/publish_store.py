"""A temporary object store in which the trees and commits to be pushed are built.

It reads the repository's objects and does not change the repository. No working tree, hook, filter or configuration of
the repository has an effect. Commits are reproducible: equal arguments give equal ids.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aci.repository.patch import MOST_UNFOLDED, unpacked_size
from aci.repository.user_repository import IDENTITY, Repository
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import OWN, GitFailed, create_store, decode, encode, environment, folders, git
from trajectories.temporary_folders import temporary_folder

SAFE = (
    *("-c", "core.fsync=none"),
    *("-c", "core.protectHFS=true"),
    *("-c", "core.protectNTFS=true"),
)
LARGEST = 5_000_000
"""Maximum number of bytes of a file that is read."""
SECONDS_OF_LOG = 20.0
"""Time limit in seconds of `git log`, which may be slow for some paths."""
BY_GITHUB = "noreply@github.com"
"""Committer email address of merges made on GitHub's website."""
_RAW = re.compile(r":(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([AMDT])\d*")


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A path that differs between two trees, with git's status letter: `A` (added), `M` (modified), `D` (deleted) or
    `T` (type changed).

    Modes and blob ids are those of git: all zeros on a side without the file.
    """

    path: str
    status: str
    old_mode: str
    new_mode: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class CommitSubject:
    """The first line of a commit message; `merged` is true if the forge wrote it for a merge."""

    text: str
    merged: bool = False


@dataclass(frozen=True)
class PublishStore:
    """The store at `path`, which also reads the objects of `repository` and of the folders `objects`."""

    path: Path
    repository: Repository
    objects: tuple[Path, ...] = ()

    # Writing

    def tree(self, base: str, diff: bytes) -> str:
        """Return the tree of `base` with a diff applied.

        Raises UsageError if the diff does not apply or its unpacked size is too large.
        """
        if unpacked_size(decode(diff)) > MOST_UNFOLDED:
            raise UsageError(f"The patch's binary files have more than {MOST_UNFOLDED:,} bytes.", "Leave them out.")
        with self._index(base) as env:
            if diff.strip():
                try:
                    self.git("apply", "--cached", env=env, input=diff)
                except GitFailed as error:
                    raise UsageError(f"The patch does not apply to {base[:10]}: {error.reasons}.", "") from error
            return self._written(env)

    def write(self, tree: str, files: Mapping[str, bytes]) -> str:
        """Return the tree with these files written; an existing file keeps its mode."""
        with self._index(tree) as env:
            for path, data in files.items():
                listed = self.git("ls-files", "--stage", "-z", "--", path, env=env)
                mode = listed[:6].decode() if listed.endswith(b"\t" + encode(path) + b"\0") else "100644"
                id = self.git("hash-object", "-w", "--stdin", input=data).decode().strip()
                line = f"{mode} {id}\t".encode() + encode(path) + b"\0"
                self.git("update-index", "-z", "--index-info", env=env, input=line)
            return self._written(env)

    def commit(self, tree: str, parent: str, message: str, at: int, author: tuple[str, str] | None = None) -> str:
        """Create a commit of `tree` on top of `parent`, dated `at` (seconds); return its id.

        The author is `author` (name, email address) if given, else the user configured in git, else swe-agent. The
        commit is neither signed nor signed off.
        """
        name, address = author or self._user()
        own = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", address), ("DATE", f"{at} +0000"))
        }
        made = self.git("commit-tree", tree, "-p", parent, "-F", "-", env=own, input=encode(message))
        return made.decode().strip()

    # Reading

    def changes(self, base: str, tree: str) -> tuple[ChangedPath, ...]:
        """Return the paths that differ between two commits or trees; a rename is a deletion and an addition."""
        listed = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", _tree(base), _tree(tree))
        fields = decode(listed).split("\0")
        found = []
        for about, path in zip(fields[::2], fields[1::2], strict=False):
            if not (match := _RAW.fullmatch(about)):
                raise UsageError(f"git described a change as {about[:80]!r}.", "Update git.")
            old_mode, new_mode, old, new, status = match.groups()
            found.append(ChangedPath(path, status, old_mode, new_mode, old, new))
        return tuple(found)

    def diff(self, base: str, tree: str) -> str:
        """Return the complete diff between two commits or trees; it can be applied without any other objects."""
        options = ("--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv")
        return decode(self.git("diff-tree", "-r", "-p", *options, _tree(base), _tree(tree)))

    def paths(self, rev: str) -> tuple[str, ...]:
        """Return the path of every file of a commit or tree."""
        listed = self.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", rev)
        return tuple(decode(listed).split("\0")[:-1])

    def size(self, id: str) -> int:
        """Return the size of an object in bytes. Raises GitFailed if there is no such object."""
        return int(self.git("cat-file", "-s", id))

    def blob(self, id: str, limit: int = LARGEST) -> bytes:
        """Return a blob's bytes. Raises UsageError if it is longer than `limit`."""
        if (size := self.size(id)) > limit:
            raise UsageError(f"A file of {size:,} bytes is not read: the limit is {limit:,}.", "")
        return self.git("cat-file", "blob", id)

    def read(self, rev: str, path: str, limit: int = LARGEST) -> bytes | None:
        """Return the content of a file in a commit or tree, or None if it is missing, a link, a folder, or too long."""
        listed = self.git("ls-tree", "-z", "--full-tree", rev, "--", path)
        about, _, name = decode(listed).rstrip("\0").partition("\t")
        if name != path or not about.startswith("100"):
            return None
        id = about.split()[2]
        return self.blob(id, limit) if self.size(id) <= limit else None

    def subjects(self, rev: str, paths: Sequence[str] = (), most: int = 100) -> tuple[CommitSubject, ...]:
        """Return the subject lines of the latest commits, or of the latest ones that touched `paths`.

        The newest comes first; merge commits are left out.
        """
        limits = ("log", f"-{most}", "--no-merges", "--no-show-signature", "--format=%ce%x09%s", rev)
        try:
            listed = self.git(*limits, *(("--", *paths) if paths else ()), timeout=SECONDS_OF_LOG)
        except GitFailed:
            return ()
        lines = (line.partition("\t") for line in listed.decode("utf-8", "replace").splitlines())
        return tuple(CommitSubject(text, committer == BY_GITHUB) for committer, _, text in lines if text)

    def has(self, id: str) -> bool:
        """Whether the store can read an object."""
        try:
            self.git("cat-file", "-e", id)
        except GitFailed:
            return False
        return True

    def is_before(self, commit: str, later: str) -> bool:
        """Whether `commit` is `later` or one of its ancestors."""
        try:
            self.git("merge-base", "--is-ancestor", commit, later)
        except GitFailed:
            return False
        return True

    # Internals

    def git(self, *args: str, env: Mapping[str, str] = {}, input: bytes = b"", timeout: float = 600.0) -> bytes:
        """Run git on the store, with the store's configuration only. Raises GitFailed."""
        return git(*SAFE, *args, env=self.environment({**OWN, **env}), input=input, timeout=timeout)

    def environment(self, own: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
        alternates = folders(self.repository._path("objects"), *self.objects)
        seen = {"GIT_DIR": str(self.path), "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates}
        return environment({**own, **seen}, keep)

    @contextmanager
    def _index(self, tree: str) -> Iterator[dict[str, str]]:
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            try:
                self.git("read-tree", tree, env=env)
            except GitFailed as error:
                raise UsageError(f"The files of {tree[:10]} cannot be read: {error.reason}.", "") from error
            yield env

    def _written(self, env: Mapping[str, str]) -> str:
        return self.git("write-tree", "--missing-ok", env=env).decode().strip()

    def _user(self) -> tuple[str, str]:
        known = {
            field: os.environ.get(f"GIT_AUTHOR_{field.upper()}")
            or decode(self.repository._git("config", f"user.{field}", ok=(0, 1)).strip())
            for field in ("name", "email")
        }
        return (known["name"], known["email"]) if all(known.values()) else IDENTITY


@contextmanager
def open_publish_store(repository: Repository, *objects: Path) -> Iterator[PublishStore]:
    """Yield a temporary store for commits of `repository`; `objects` are additional object folders to read from."""
    with temporary_folder() as name:
        path = Path(name, "outbox.git")
        create_store(path)
        if (shallow := repository._path("shallow")).exists():
            shutil.copyfile(shallow, path / "shallow")
        yield PublishStore(path, repository, objects)


def _tree(rev: str) -> str:
    return f"{rev}^{{tree}}"
