"""The repositories of a batch: one bare clone each, which all its instances share."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from aci.cloning import clone_to, has, update
from agent.batch.place import Instance
from trajectories.errors import UsageError, WorkspaceError

if TYPE_CHECKING:
    from filelock import FileLock

NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
SERVER = "https://github.com"


class Repositories:
    """The clones under `folder`; threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._found: dict[str, Path] = {}
        self._fetched: set[str] = set()

    def of(self, instance: Instance) -> Path:
        """Where the instance's repository lies.

        A path is taken as it is. `owner/name` is sought in the folder as owner/name, owner__name and name, each also
        with .git; what is not there is cloned once, as is a URL. A clone of ours that lacks the base is brought up to
        date, once. Nobody else's is written to.

        Raises UsageError for what is no repository or cannot be cloned, WorkspaceError for a folder that cannot be
        written.
        """
        repo = instance.repo
        if Path(repo).is_absolute():
            return Path(repo)
        url, place = self._place(repo)
        with self._lock:
            found = self._found.get(repo)
        if found is None:
            found = next((path for path in self._candidates(repo) if path.is_dir()), None) or self._clone(url, place)
            with self._lock:
                self._found[repo] = found
        if found == place and instance.base and not has(found, instance.base):
            self._update(url, place, instance.base)
        return found

    def _place(self, repo: str) -> tuple[str, Path]:
        """Where it comes from, and where our clone of it lies."""
        if "://" in repo or repo.startswith("git@"):
            name = re.sub(r"[^\w.-]+", "__", re.sub(r"^\w+://([^/@]*@)?|^git@", "", repo), flags=re.ASCII)
            return repo, self.folder / f"{name.strip('._-').removesuffix('.git')}.git"
        if not NAME.fullmatch(repo) or any(part.startswith((".", "-")) for part in repo.split("/")):
            raise UsageError(
                f"{repo!r} is no repository.", "Give owner/name, a URL, or a path that begins with / or ./."
            )
        return f"{SERVER}/{repo}.git", self.folder / f"{repo.replace('/', '__')}.git"

    def _candidates(self, repo: str) -> list[Path]:
        if not NAME.fullmatch(repo):
            return [self._place(repo)[1]]
        names = (repo, repo.replace("/", "__"), repo.partition("/")[2])
        return [self.folder / f"{name}{end}" for name in names for end in ("", ".git")]

    def _clone(self, url: str, place: Path) -> Path:
        with self._alone(place):
            if not place.is_dir():
                try:
                    clone_to(url, place)
                except UsageError as error:
                    raise UsageError(
                        f"{error.message[:-1]}, and {place} is not there.", f"{error.fix} Or put a clone there."
                    ) from error
        return place

    def _update(self, url: str, place: Path, base: str) -> None:
        """Once a base. What cannot be had is for the caller to find missing."""
        with self._alone(place):
            if base not in self._fetched and not has(place, base):
                self._fetched.add(base)
                update(url, place, base)

    def _alone(self, place: Path) -> FileLock:
        """A lock of its own each time: it keeps out threads as well as processes."""
        from filelock import FileLock

        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return FileLock(place.with_name(f".{place.name}.lock"))
        except OSError as error:
            raise WorkspaceError(
                f"Nothing can be cloned to {self.folder}: {error.strerror}.", "Name another --repos."
            ) from error
