"""The repositories of a batch: one bare clone each, which all its instances share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from aci.cloning import clone_to, has, origin, place_of, update
from agent.batch.place import Instance
from trajectories.errors import UsageError, WorkspaceError

NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
URL = re.compile(r"(?:[a-z]+://|git@)\S+")
SERVER = "https://github.com"


class Repositories:
    """The clones under `folder`; threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._found: dict[str, Path] = {}
        self._asked: set[tuple[str, str]] = set()

    def of(self, instance: Instance) -> Path:
        """Where the instance's repository lies.

        A path is taken as it is. `owner/name` is sought in the folder as owner/name, owner__name and name, each also
        with .git; a bare name counts only where the base is in it, or where it says that it comes from owner/name. What
        is not there is cloned, once, as is a URL. A clone of ours that lacks the base, or whose newest commit is asked
        for, is brought up to date, once a base; whether it has it then is for the caller to see. Nobody else's
        repository is written to.

        Raises UsageError for what is no repository, WorkspaceError where nobody answers who has it, and for a folder
        that cannot be written.
        """
        repo = instance.repo
        if Path(repo).is_absolute():
            return Path(repo)
        url, place = self._named(repo)
        with self._lock:
            found = self._found.get(repo)
        if found is None:
            there = (path for path in self._candidates(repo, place) if self._is(path, repo, instance.base))
            found = next(there, None) or self._clone(repo, url, place)
            with self._lock:
                self._found[repo] = found
        if found == place:
            self._update(url, place, instance.base)
        return found

    def _named(self, repo: str) -> tuple[str, Path]:
        """Where it comes from, and where our clone of it lies."""
        if URL.fullmatch(repo):
            return repo, place_of(repo, self.folder)
        if not NAME.fullmatch(repo):
            raise UsageError(
                f"{repo!r} names no repository.", "Give owner/name, a URL, or a path that begins with / or a dot."
            )
        return f"{SERVER}/{repo}.git", self.folder / f"{repo.replace('/', '__')}.git"

    def _candidates(self, repo: str, place: Path) -> list[Path]:
        if not NAME.fullmatch(repo):
            return [place]
        names = (repo, repo.replace("/", "__"), repo.partition("/")[2])
        return [self.folder / f"{name}{end}" for name in names for end in ("", ".git")]

    def _is(self, path: Path, repo: str, base: str) -> bool:
        """Whether this is the repository that is sought; a name without its owner is that of many."""
        name = repo.partition("/")[2]
        if not _is_repository(path) or path not in (self.folder / name, self.folder / f"{name}.git"):
            return _is_repository(path)
        comes = origin(path).casefold().rstrip("/").removesuffix(".git")
        return (base != "" and has(path, base)) or comes.endswith((f"/{repo.casefold()}", f":{repo.casefold()}"))

    def _clone(self, repo: str, url: str, place: Path) -> Path:
        with self._alone(place):
            if not _is_repository(place):
                try:
                    clone_to(url, place)
                except (UsageError, WorkspaceError) as error:
                    names = ", ".join(
                        dict.fromkeys(str(path.relative_to(self.folder)) for path in self._candidates(repo, place))
                    )
                    raise type(error)(
                        f"There is no repository in {self.folder} by one of the names {names}. {error.message}",
                        f"Put a clone at {place}, or mend what keeps it from being made.",
                    ) from error.__cause__
                self._asked.add((url, ""))  # nothing is newer
        return place

    def _update(self, url: str, place: Path, base: str) -> None:
        if (url, base) in self._asked or (base and has(place, base)):
            return
        with self._alone(place):
            if (url, base) not in self._asked and not (base and has(place, base)):  # nobody was first
                update(url, place, base)
            self._asked.add((url, base))

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        """A lock that keeps out the other threads, since each has one of its own, as well as other processes."""
        from filelock import FileLock

        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(place.with_name(f".{place.name}.lock"))
            lock.acquire()
        except OSError as error:
            raise WorkspaceError(
                f"Nothing can be cloned to {self.folder}: {error.strerror}.", "Name another folder with --repos."
            ) from error
        try:
            yield
        finally:
            lock.release()


def _is_repository(path: Path) -> bool:
    """Or else the folder of an owner, say."""
    return (path / "HEAD").exists() or (path / ".git").exists()
