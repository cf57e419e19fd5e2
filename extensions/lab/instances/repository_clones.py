"""The repositories of a batch: one bare clone each, shared by all instances."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from aci.repository.clone import clone_path, clone_to, has_commit, origin_url, update_clone
from extensions.lab.instances.jobs import Instance
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
        self._updated: set[tuple[str, str]] = set()

    def of(self, instance: Instance) -> Path:
        """Return the path of the instance's repository, cloned if necessary.

        A local folder is used directly. `owner/name` is looked up in the folder as owner/name, owner__name and name,
        each also with .git; a folder whose name lacks the owner is used only if its repository contains the base or has
        owner/name as its origin. A repository that is not found there, or is given as a URL or a git bundle, is cloned
        once. Such a clone is updated, once for each base, if it lacks the base or if the newest commit is requested;
        the caller must check that the base then exists. Other repositories are never written to.

        Raises UsageError if there is no such repository, WorkspaceError if its server does not answer or the folder
        cannot be written.
        """
        repo = instance.repo
        if Path(repo).is_absolute() and not _is_file(repo):
            return Path(repo)
        url, place = self._url_and_path(repo)
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

    def _url_and_path(self, repo: str) -> tuple[str, Path]:
        """Return the repository's URL and the path of its clone."""
        if URL.fullmatch(repo) or (Path(repo).is_absolute() and _is_file(repo)):
            return repo, clone_path(repo, self.folder)
        if not NAME.fullmatch(repo):
            raise UsageError(
                f"{repo!r} is not a repository.", "Give owner/name, a URL, or a path that begins with / or a dot."
            )
        return f"{SERVER}/{repo}.git", self.folder / f"{repo.replace('/', '__')}.git"

    def _candidates(self, repo: str, place: Path) -> list[Path]:
        if not NAME.fullmatch(repo):
            return [place]
        names = (repo, repo.replace("/", "__"), repo.partition("/")[2])
        return [self.folder / f"{name}{end}" for name in names for end in ("", ".git")]

    def _is(self, path: Path, repo: str, base: str) -> bool:
        """Return whether the repository at `path` is the requested one; a folder name without the owner is
        ambiguous."""
        name = repo.partition("/")[2]
        if not _is_repository(path) or path not in (self.folder / name, self.folder / f"{name}.git"):
            return _is_repository(path)
        comes = origin_url(path).casefold().rstrip("/").removesuffix(".git")
        return (base != "" and has_commit(path, base)) or comes.endswith((f"/{repo.casefold()}", f":{repo.casefold()}"))

    def _clone(self, repo: str, url: str, place: Path) -> Path:
        with self._locked(place):
            if not _is_repository(place):
                try:
                    clone_to(url, place)
                except (UsageError, WorkspaceError) as error:
                    names = ", ".join(
                        dict.fromkeys(str(path.relative_to(self.folder)) for path in self._candidates(repo, place))
                    )
                    raise type(error)(
                        f"{self.folder} has no repository with one of the names {names}. {error.message}",
                        f"Put a clone at {place}, or fix the problem that prevents it.",
                    ) from error.__cause__
                self._updated.add((url, ""))  # a new clone is up to date
        return place

    def _update(self, url: str, place: Path, base: str) -> None:
        if (url, base) in self._updated or (base and has_commit(place, base)):
            return
        with self._locked(place):
            # No other thread or process has updated it meanwhile.
            if (url, base) not in self._updated and not (base and has_commit(place, base)):
                update_clone(url, place, base)
            self._updated.add((url, base))

    @contextmanager
    def _locked(self, place: Path) -> Iterator[None]:
        """Hold a lock that excludes other threads (each creates its own lock object) and other processes."""
        from filelock import FileLock

        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(place.with_name(f".{place.name}.lock"))
            lock.acquire()
        except OSError as error:
            raise WorkspaceError(
                f"Cannot clone to {self.folder}: {error.strerror}.", "Give another folder with --repos."
            ) from error
        try:
            yield
        finally:
            lock.release()


def _is_repository(path: Path) -> bool:
    """Return whether a path is a git repository and not, for example, a folder named after an owner."""
    return (path / "HEAD").exists() or (path / ".git").exists()


def _is_file(path: str) -> bool:
    """Return whether there is a file, which must be a git bundle. Raises UsageError if the path is too long."""
    try:
        return Path(path).is_file()
    except OSError as error:
        raise UsageError(f"{path[:80]!r} is not a repository: {error.strerror}.", "Give a shorter path.") from None
