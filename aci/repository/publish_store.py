"""What is to leave for a server is made here: trees and commits in a store of ours that only sees the repository's.

No working tree, hook, filter or configuration of the repository has a say in it, and the repository does not change:
what is made is gone with the store. The same commit can be made again: equal arguments, equal id.
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

from aci.patch_size import MOST_UNFOLDED, unfolded
from aci.repository import IDENTITY, Repository
from trajectories.errors import UsageError
from trajectories.plumbing import OWN, GitFailed, create_store, decode, encode, environment, folders, git

SAFE = (
    *("-c", "core.fsync=none"),
    *("-c", "core.protectHFS=true"),
    *("-c", "core.protectNTFS=true"),
)
LARGEST = 5_000_000
"""Bytes of a file that is read here."""
SECONDS_OF_LOG = 20.0
"""The history of some paths may be long to walk."""
BY_GITHUB = "noreply@github.com"
"""Who commits what was merged on GitHub's pages."""
_RAW = re.compile(r":(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([AMDT])\d*")


@dataclass(frozen=True, slots=True)
class Changed:
    """A path that differs between two trees: `A`dded, `M`odified, `D`eleted, or of another `T`ype; git's modes and
    blob ids on both sides, zeros where there is nothing."""

    path: str
    status: str
    old_mode: str
    new_mode: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A commit's first line; `merged` where a forge wrote it when it merged."""

    text: str
    merged: bool = False


@dataclass(frozen=True)
class Outbox:
    """The store at `path`, which sees the objects of `repository` and of `objects`."""

    path: Path
    repository: Repository
    objects: tuple[Path, ...] = ()

    # What is made

    def tree(self, base: str, diff: bytes) -> str:
        """The tree of `base` with a diff applied. Raises UsageError where it does not fit, or unfolds too far."""
        if unfolded(decode(diff)) > MOST_UNFOLDED:
            raise UsageError(f"The patch's binary files have more than {MOST_UNFOLDED:,} bytes.", "Leave them out.")
        with self._index(base) as env:
            if diff.strip():
                try:
                    self.git("apply", "--cached", "--whitespace=nowarn", env=env, input=diff)
                except GitFailed as error:
                    raise UsageError(f"The patch does not fit {base[:10]}: {error.reasons}.", "") from error
            return self._written(env)

    def write(self, tree: str, files: Mapping[str, bytes]) -> str:
        """The tree with these files; one that is there keeps its mode."""
        with self._index(tree) as env:
            for path, data in files.items():
                listed = self.git("ls-files", "--stage", "-z", "--", path, env=env)
                mode = listed[:6].decode() if listed.endswith(b"\t" + encode(path) + b"\0") else "100644"
                id = self.git("hash-object", "-w", "--stdin", input=data).decode().strip()
                line = f"{mode} {id}\t".encode() + encode(path) + b"\0"
                self.git("update-index", "-z", "--index-info", env=env, input=line)
            return self._written(env)

    def commit(self, tree: str, parent: str, message: str, at: int, author: tuple[str, str] | None = None) -> str:
        """A commit of `tree` on top of `parent`, made `at` (seconds) by `author` (name, address), or the user as git
        knows them, else swe-agent. Nothing is signed, nor signed off."""
        name, address = author or self._user()
        own = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", address), ("DATE", f"{at} +0000"))
        }
        made = self.git("commit-tree", tree, "-p", parent, "-F", "-", env=own, input=encode(message))
        return made.decode().strip()

    # What is read

    def changes(self, base: str, tree: str) -> tuple[Changed, ...]:
        """What differs from one commit or tree to another; a rename is a deletion and an addition."""
        listed = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", _tree(base), _tree(tree))
        fields = decode(listed).split("\0")
        found = []
        for about, path in zip(fields[::2], fields[1::2], strict=False):
            if not (match := _RAW.fullmatch(about)):
                raise UsageError(f"git told of a change as {about[:80]!r}.", "Update git.")
            old_mode, new_mode, old, new, status = match.groups()
            found.append(Changed(path, status, old_mode, new_mode, old, new))
        return tuple(found)

    def diff(self, base: str, tree: str) -> str:
        """The diff from one to the other; applies anywhere."""
        options = ("--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv")
        return decode(self.git("diff-tree", "-r", "-p", *options, _tree(base), _tree(tree)))

    def paths(self, rev: str) -> tuple[str, ...]:
        """Every file of a commit or tree."""
        listed = self.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", rev)
        return tuple(decode(listed).split("\0")[:-1])

    def size(self, id: str) -> int:
        """Bytes of an object. Raises GitFailed for none."""
        return int(self.git("cat-file", "-s", id))

    def blob(self, id: str, limit: int = LARGEST) -> bytes:
        """A blob's bytes. Raises UsageError for one that is longer than `limit`."""
        if (size := self.size(id)) > limit:
            raise UsageError(f"A file of {size:,} bytes is not read: {limit:,} are the most.", "")
        return self.git("cat-file", "blob", id)

    def read(self, rev: str, path: str, limit: int = LARGEST) -> bytes | None:
        """A file of a commit or tree; None for none, a link, a folder, or one that is too long."""
        listed = self.git("ls-tree", "-z", "--full-tree", rev, "--", path)
        about, _, name = decode(listed).rstrip("\0").partition("\t")
        if name != path or not about.startswith("100"):
            return None
        id = about.split()[2]
        return self.blob(id, limit) if self.size(id) <= limit else None

    def subjects(self, rev: str, paths: Sequence[str] = (), most: int = 100) -> tuple[Subject, ...]:
        """First lines of the latest commits, or of those that touched `paths`; newest first, without merges."""
        limits = ("log", f"-{most}", "--no-merges", "--no-show-signature", "--format=%ce%x09%s", rev)
        try:
            listed = self.git(*limits, *(("--", *paths) if paths else ()), timeout=SECONDS_OF_LOG)
        except GitFailed:
            return ()
        lines = (line.partition("\t") for line in listed.decode("utf-8", "replace").splitlines())
        return tuple(Subject(text, committer == BY_GITHUB) for committer, _, text in lines if text)

    def has(self, id: str) -> bool:
        """Whether an object is to be seen here."""
        try:
            self.git("cat-file", "-e", id)
        except GitFailed:
            return False
        return True

    def is_before(self, commit: str, later: str) -> bool:
        """Whether `later` is `commit` or comes after it."""
        try:
            self.git("merge-base", "--is-ancestor", commit, later)
        except GitFailed:
            return False
        return True

    # Beneath

    def git(self, *args: str, env: Mapping[str, str] = {}, input: bytes = b"", timeout: float = 600.0) -> bytes:
        """git on the store, with no configuration but the store's own. Raises GitFailed."""
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
def outbox(repository: Repository, *objects: Path) -> Iterator[Outbox]:
    """A store for what is to leave from `repository`; `objects` are more folders of objects to be seen."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as name:
        path = Path(name, "outbox.git")
        create_store(path)
        if (shallow := repository._path("shallow")).exists():
            shutil.copyfile(shallow, path / "shallow")
        yield Outbox(path, repository, objects)


def _tree(rev: str) -> str:
    return f"{rev}^{{tree}}"
