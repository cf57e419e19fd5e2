"""Files of submodules at the commits that a tree names, read from the git directories that the user's checkout has.

Only objects are read: no configuration, index or file of a submodule takes effect, and nothing is fetched. A git
directory counts only if it is where git puts it: in the folder `modules` of the repository's own git directory, or a
folder `.git` in the submodule's place. Other repositories of the user could be named by a prepared `.git` file.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.base_size import check_base
from aci.repository.git_view import TO_READ, check_alternates, common_folder, repository_filters, view_of
from aci.repository.user_repository import OPTIONS, Repository
from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import GitFailed, decode, git, git_environ, objects_environment
from trajectories.git_store.trees import SUBMODULE
from trajectories.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from trajectories.git_store.trees import Entry

MOST_DEPTH = 5
MOST_SUBMODULES = 200
MOST_FILES = 200_000
MOST_BYTES = 500_000_000
"""Maximum numbers of levels of nested submodules, and of submodules, files and bytes of all of them together."""
UPDATE = "Run `git submodule update --init --recursive`."
FEWER = "Run `git submodule deinit` for those that the tests do not need."
CLONE = "Clone the repository with its submodules, and use the clone."
_LINK_BYTES = 10_000
_PREFIX = b"gitdir: "


@dataclass(frozen=True, slots=True)
class Submodule:
    """A submodule whose objects the user's checkout has."""

    path: str
    """The path from the root of the repository, also of a submodule in another one."""

    commit: str
    git_dir: Path
    is_changed: bool
    """Whether the checkout has another commit of it, or uncommitted changes in it."""

    def write(self, folder: Path) -> None:
        """Write the files to a folder, as git stores them. Raises WorkspaceError."""
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder() as temporary:
            env = {"GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": f"{temporary}/index"}
            env |= objects_environment(common_folder(self.git_dir))
            for command in (("read-tree", f"{self.commit}^{{tree}}"), ("checkout-index", "--all", "--quiet")):
                git(*command, env=git_environ(env), cwd=folder)


@dataclass(frozen=True, slots=True)
class Submodules:
    """The submodules of a tree: those whose files can be written, each after the one that it is in, and those whose
    files are refused, with the reason. Submodules that are not checked out are in neither."""

    present: list[Submodule] = field(default_factory=list)
    refused: dict[str, UsageError] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the files of all submodules below a folder. Raises WorkspaceError."""
        for submodule in self.present:
            place = folder / submodule.path
            if place.resolve() != folder.resolve() / submodule.path:
                raise WorkspaceError(f"The submodule {submodule.path} is behind a symbolic link.", CLONE)
            submodule.write(place)


def find_submodules(source: Repository, tracked: Mapping[str, Entry]) -> Submodules:
    """Return the submodules of a tree of the user's repository, and those that they contain."""
    found = Submodules()
    if not (source.bare or source.plain):
        links = {path: entry.id for path, entry in tracked.items() if entry.mode == SUBMODULE}
        homes = {folder.resolve() / "modules" for folder in (source.git_dir, common_folder(source.git_dir))}
        _Search(source.root.resolve(), found).add(links, "", tuple(homes), 1)
    return found


class _Search:
    def __init__(self, root: Path, found: Submodules) -> None:
        self._root, self._found = root, found
        self._files_left, self._bytes_left = MOST_FILES, MOST_BYTES

    def add(self, links: Mapping[str, str], prefix: str, homes: Sequence[Path], depth: int) -> None:
        """Add the submodules with these paths and commits below `prefix`, and those that they contain. Their git
        directories may be in `homes`."""
        for name, commit in links.items():
            path = f"{prefix}{name}"
            try:
                git_dir = _git_dir(self._root / path, homes) if path.isprintable() else None
                if git_dir is None:
                    continue
                nested = self._read(path, commit, git_dir, depth)
            except (UsageError, OSError) as error:
                unreadable = UsageError(f"The git directory of {path} cannot be read.", "Check its permissions.")
                self._found.refused[path] = error if isinstance(error, UsageError) else unreadable
                continue
            is_changed = _is_changed(git_dir, self._root / path, commit)
            self._found.present.append(Submodule(path, commit, git_dir, is_changed))
            self.add(nested, f"{path}/", (git_dir / "modules",), depth + 1)

    def _read(self, path: str, commit: str, git_dir: Path, depth: int) -> dict[str, str]:
        """Check the files of a submodule and count them. Return the paths and commits of the submodules that it
        contains. Raises UsageError."""
        if depth > MOST_DEPTH:
            raise UsageError(f"{path} is nested in more than {MOST_DEPTH - 1} submodules.", FEWER)
        if len(self._found.present) >= MOST_SUBMODULES:
            raise UsageError(f"There are more than {MOST_SUBMODULES} submodules.", FEWER)
        view = view_of(git_dir, None)
        view.environment({})  # raises UsageError for links
        check_alternates(view)
        env, tree = git_environ(objects_environment(common_folder(git_dir))), f"{commit}^{{tree}}"
        if not git("rev-parse", "--verify", "--quiet", "--end-of-options", tree, env=env, ok=(0, 1, 128)):
            raise UsageError(f"The commit {commit[:10]} of {path} is not in {git_dir}.", UPDATE)
        check_base(git_dir, commit)
        try:
            listing = git("ls-tree", "-r", "-l", "-z", "--full-tree", tree, env=env)
        except GitFailed as error:
            raise UsageError(f"The files of {path} cannot be listed: {error.reason}.", UPDATE) from error
        lines = [line.partition(b"\t") for line in listing.split(b"\0")[:-1]]
        entries = {decode(name): about.decode().split() for about, _, name in lines}
        sizes = {name: size for name, (mode, _, _, size) in entries.items() if mode != SUBMODULE}
        if not all(map(str.isdecimal, sizes.values())):
            raise UsageError(f"Some files of {path} are not in {git_dir}.", UPDATE)
        self._files_left -= len(sizes)
        self._bytes_left -= sum(map(int, sizes.values()))
        if self._files_left < 0 or self._bytes_left < 0:
            what = f"The submodules up to {path}"
            raise UsageError(f"{what} have more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes.", FEWER)
        return {name: id for name, (mode, _, id, _) in entries.items() if mode == SUBMODULE}


def _git_dir(place: Path, homes: Sequence[Path]) -> Path | None:
    """Return the git directory of a submodule; None if it is not checked out. Raises UsageError if it is in another
    place than git would put it."""
    link = place / ".git"
    try:
        mode = link.lstat().st_mode
    except OSError:
        return None
    if place.resolve() != place:
        raise UsageError(f"{place} leads through a symbolic link.", CLONE)
    if stat.S_ISDIR(mode):
        return link
    try:
        data = read_limited(link, _LINK_BYTES, inside=place)
        found = (place / os.fsdecode(data.removeprefix(_PREFIX).strip())).resolve() if stat.S_ISREG(mode) else link
    except (OSError, ValueError, RuntimeError) as error:  # circular links, or no valid path
        raise UsageError(f"{link} is not a file that names a git directory.", CLONE) from error
    is_own = any(home in found.parents for home in homes) and str(found).isprintable()
    if not (data.startswith(_PREFIX) and is_own):
        raise UsageError(f"{link} does not name a git directory of this repository.", CLONE)
    return found


def _is_changed(git_dir: Path, place: Path, commit: str) -> bool:
    """Return whether the files of a submodule's checkout differ from those of a commit; False if git cannot compare
    them without the submodule's configuration."""
    compare = ("diff-index", "--name-only", "--ignore-submodules=all", commit)
    untracked = ("ls-files", "-o", "--exclude-standard", "--directory")
    try:
        view = view_of(git_dir, place)
        with temporary_folder() as folder:
            env = view.environment({"GIT_INDEX_FILE": f"{folder}/index"})
            if repository_filters(view, TO_READ):
                return False
            shutil.copy2(git_dir / "index", f"{folder}/index")
            git(*OPTIONS, "update-index", "-q", "--refresh", "--ignore-submodules", env=env, cwd=place, ok=(0, 1))
            return any(git(*OPTIONS, *command, env=env, cwd=place) for command in (compare, untracked))
    except (UsageError, GitFailed, OSError):
        return False
