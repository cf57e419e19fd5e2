"""Sources of files for the code graph: trees of a run, or the user's repository."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from aci.repository.base_size import list_tree
from aci.repository.git_view import common_folder, view_of
from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import (
    GitFailed,
    decode,
    folders,
    git,
    git_environ,
    objects_environment,
)
from trajectories.git_store.object_reader import cat_file
from trajectories.git_store.trees import Trees

LARGEST = 1_000_000
"""Maximum size in bytes of files that are read; larger files are usually data or generated code."""


class File(NamedTuple):
    path: str
    mode: str
    id: str


class Blobs(Protocol):
    """The files of one tree. Instances with the same `key` have the same files."""

    key: str
    absent: set[str]
    """Ids of blobs that `read` did not find, because the clone is partial or the store is damaged."""

    def files(self) -> Iterable[File]: ...

    def read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the bytes of each blob, in order, or None for a blob that is missing or longer than LARGEST."""


class TreeBlobs:
    """The files of a run's tree."""

    def __init__(self, trees: Trees, tree: str) -> None:
        self.key = tree
        self.absent: set[str] = set()
        self._trees = trees

    def files(self) -> Iterable[File]:
        return (File(path, entry.mode, entry.id) for path, entry in self._trees.files(self.key).items())

    def read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        for id, data in zip(ids, self._trees.read_blobs(ids, LARGEST), strict=True):
            if data is None and self._is_absent(id):
                self.absent.add(id)
            yield data

    def _is_absent(self, id: str) -> bool:
        try:
            self._trees.read_blob(id, LARGEST)
        except UsageError:  # too large
            return False
        except RunBroken:
            return True
        return False


class GitBlobs:
    """The files of the tree with the id `tree` in a git directory.

    Nothing is written to the repository or fetched, so blobs that a partial clone lacks count as missing.
    """

    def __init__(self, git_dir: Path, tree: str, objects: Sequence[Path] = ()) -> None:
        self.key, self._git_dir = tree, git_dir
        self.absent: set[str] = set()
        self.objects = tuple(objects)
        more = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(*objects)} if objects else {}
        self._env = git_environ({**objects_environment(common_folder(git_dir)), **more})

    @staticmethod
    def at(git_dir: Path, commit: str) -> GitBlobs:
        """Return the files of a commit. Raises UsageError if there is no such commit."""
        try:
            env = view_of(git_dir, None).environment({})
            tree = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}", env=env)
        except (GitFailed, UsageError) as error:
            raise UsageError(f"There is no commit {commit!r} in {git_dir}.", "Give an existing one.") from error
        return GitBlobs(git_dir, tree.decode().strip())

    def files(self) -> Iterable[File]:
        """Yield the files. Raises UsageError if the tree is too large to be listed."""
        listing = list_tree(self._git_dir, self.key, self._env)
        for about, path in listing:
            mode, _, id = about.decode().split()
            yield File(decode(path), mode, id)

    def read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        """Yield blobs; git stops at a damaged blob and is restarted with the next one."""
        done = 0
        while done < len(ids):
            for data in self._read(ids[done:]):
                yield data
                done += 1
            if done < len(ids):
                self.absent.add(ids[done])
                yield None
                done += 1

    def _read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        """Yield blobs until git stops."""
        with cat_file(self._env, "--buffer") as process:
            assert process.stdin
            assert process.stdout
            feeder = threading.Thread(target=_feed, args=(process.stdin, ids), daemon=True)
            feeder.start()
            try:
                for id in ids:
                    header = process.stdout.readline().split()
                    if header[1:] == [b"missing"]:
                        self.absent.add(id)
                        yield None
                    elif len(header) == 3 and (data := _read_object(process.stdout, int(header[2]))) is not None:
                        yield data if len(data) <= LARGEST else None
                    else:
                        return
            finally:
                process.kill()
                feeder.join()


def _read_object(pipe: IO[bytes], size: int) -> bytes | None:
    """Read an object from the pipe, or return None if the pipe ends early. If the object is too large, return only its
    first LARGEST + 1 bytes."""
    data = pipe.read(min(size, LARGEST + 1))
    left = size - len(data) + 1
    while left and (more := pipe.read(min(left, LARGEST))):
        left -= len(more)
    return None if left else data


def _feed(pipe: IO[bytes], ids: Sequence[str]) -> None:
    with suppress(OSError), pipe:
        pipe.write("".join(f"{id}\n" for id in ids).encode())
