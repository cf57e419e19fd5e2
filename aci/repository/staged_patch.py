"""A patch for the user's files that a crash cannot leave half applied.

git applies the patch to copies of the files in a folder of the run. When all new files are complete, they replace the
user's files one at a time, each by a rename. A process that dies meanwhile leaves every file old or new, and this
folder, from which the next process finishes the work.
"""

from __future__ import annotations

import filecmp
import os
import re
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trajectories.errors import UsageError, WorkspaceError
from trajectories.file_limits import open_regular
from trajectories.git_store.git_commands import sync_folder

OLD, NEW, PATHS, TEMPORARY = "old", "new", "paths", "temporary"
"""Entries of the folder: copies of the user's files, the new files, the patch's paths, each followed by NUL, and the
name of a new file, beside the one that it replaces, until it is complete. A patch cannot know this name."""
INTERRUPTED = "swe-agent.apply"
"""File in the git directory, with the path of the folder from which the user's files are being written."""
MOST_PATH = 10_000
RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]+")


@dataclass(frozen=True)
class StagedPatch:
    """A patch in `folder` for the files of `root`, whose git directory is `git_dir`. With `has_modes`, the file system
    keeps the executable bit."""

    folder: Path
    root: Path
    git_dir: Path
    has_modes: bool = True

    @contextmanager
    def prepared(self, paths: Sequence[bytes]) -> Iterator[Path]:
        """Yield a folder with copies of the files that the patch names; git applies the patch there. Afterwards the
        patch is complete and on disk, and can be written. Raises WorkspaceError if this disk is full."""
        names = [os.fsdecode(path) for path in paths]
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            for left in self.folder.parent.glob(f"{self.folder.name}-*"):  # of a process that died
                shutil.rmtree(left, ignore_errors=True)
            made = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}-", dir=self.folder.parent))
            try:
                (made / TEMPORARY).write_text(f".swe-agent-{secrets.token_hex(8)}")
                self._copy_files(names, made)
                yield made / NEW
                (made / PATHS).write_bytes(b"".join(path + b"\0" for path in paths))
                _sync(made)
                made.rename(self.folder)
            finally:
                shutil.rmtree(made, ignore_errors=True)
            sync_folder(self.folder.parent)
        except OSError as error:
            fix = "Free space on the disk, then try again."
            raise WorkspaceError(f"The patch cannot be prepared in {self.folder}: {error.strerror}.", fix) from error

    def _copy_files(self, names: Sequence[str], made: Path) -> None:
        for side in (OLD, NEW):
            (made / side).mkdir()
            for name in names:
                if not _is_below_link(self.root, name):
                    _copy(self.root / name, made / side / name)
        for above in {above for name in names for above in Path(name).parents}:
            attributes = above / ".gitattributes"
            is_link = _is_below_link(self.root, str(attributes)) or (self.root / attributes).is_symlink()
            if str(attributes) not in names and not is_link:  # git reads no attributes through a link
                _copy(self.root / attributes, made / NEW / attributes)

    def write(self) -> None:
        """Replace the user's files by the new ones. If this fails, the old ones are put back; raises UsageError."""
        self._mark()
        try:
            changed = self._replace(OLD, NEW)
            reason = f"{changed[0]} was changed meanwhile" if changed else ""
        except OSError as error:
            reason = f"{error.filename2 or error.filename}: {error.strerror}"
        except BaseException:
            self._put_back()
            raise
        if reason:
            self._put_back()
            raise UsageError(f"The patch cannot be written to {self.root}: {reason}.", "Correct this, then try again.")
        self._end()

    def finish(self) -> list[str] | None:
        """Write the files that a process which died had not written; return the paths of those that were changed
        since, and are left as they are. If no file was written, nothing is, and this returns None. Raises
        UsageError."""
        found = None
        if _marked(self.git_dir) == str(self.folder) and any(self._is_written(name) for name in self._names()):
            try:
                found = self._replace(OLD, NEW)
            except OSError as error:
                reason = f"{error.filename2 or error.filename}: {error.strerror}"
                why = f"The patch cannot be written to {self.root}: {reason}."
                raise UsageError(why, "Correct this, then try again.") from error
        else:
            self._remove_temporary()
        self._end()
        return found

    def _mark(self) -> None:
        mark = self.git_dir / INTERRUPTED
        mark.unlink(missing_ok=True)  # it may be a link
        with mark.open("xb") as file:
            file.write(os.fsencode(self.folder))
        sync_folder(mark)
        sync_folder(self.git_dir)

    def _end(self) -> None:
        if _marked(self.git_dir) in ("", str(self.folder)):
            (self.git_dir / INTERRUPTED).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _put_back(self) -> None:
        try:
            self._replace(NEW, OLD)
        except OSError as error:
            raise UsageError(
                f"An apply to {self.root} failed, and some of its files are new: {error.filename}: {error.strerror}.",
                f"Correct this, then try again; the old files are in {self.folder / OLD}.",
            ) from error
        self._end()

    def _is_written(self, name: str) -> bool:
        return self._is(NEW, name) and not self._is(OLD, name)

    def _names(self) -> list[str]:
        return [os.fsdecode(path) for path in (self.folder / PATHS).read_bytes().split(b"\0")[:-1]]

    def _replace(self, before: str, after: str) -> list[str]:
        """Replace files that are as in the side `before` by those of the side `after`; return the paths of files that
        are as in neither."""
        self._remove_temporary()
        names, others = self._names(), list[str]()
        temporary = (self.folder / TEMPORARY).read_text()
        side = self.folder / after
        new = {name for name in names if not _is_below_link(side, name) and _is_entry(side / name)}
        for name in sorted(names, key=new.__contains__):  # removals first: a folder may take the place of a file
            if self._is(after, name):
                continue
            # it may have been edited, or a link been made, until this moment
            if not self._is(before, name) or (name in new and _is_below_link(self.root, name)):
                others.append(name)
            elif name in new:
                _put(side / name, self.root / name, temporary)
            else:
                _remove(self.root, name)
        for folder in {(self.root / name).parent for name in names}:
            if folder.is_dir():
                sync_folder(folder)
        return others

    def _remove_temporary(self) -> None:
        temporary = (self.folder / TEMPORARY).read_text()
        for folder in {(self.root / name).parent for name in self._names()}:
            if folder.is_dir():
                (folder / temporary).unlink(missing_ok=True)

    def _is(self, side: str, name: str) -> bool:
        """Whether the user's file is as in a side of the patch."""
        kept, file = self.folder / side / name, self.root / name
        if _is_below_link(self.folder / side, name) or not _is_entry(kept):
            is_folder = file.is_dir() and not file.is_symlink()
            return _is_below_link(self.root, name) or not os.path.lexists(file) or is_folder
        if _is_below_link(self.root, name):
            return False
        if kept.is_symlink() or file.is_symlink():
            return kept.is_symlink() and file.is_symlink() and kept.readlink() == file.readlink()
        if not kept.is_file() or not file.is_file():
            return kept.is_dir() and file.is_dir()
        same_mode = not self.has_modes or not (kept.stat().st_mode ^ file.stat().st_mode) & 0o100
        return same_mode and filecmp.cmp(kept, file, shallow=False)


def _folders(root: Path, name: str) -> Iterator[Path]:
    """Yield the folders between a file and the working tree's root, from the file upwards."""
    return (root / above for above in Path(name).parents[:-1])


def _is_entry(path: Path) -> bool:
    """Whether a side has a file, a link or a submodule at a path; a submodule is an empty folder."""
    return path.is_symlink() or path.is_file() or (path.is_dir() and not any(path.iterdir()))


def _is_below_link(root: Path, name: str) -> bool:
    return any(above.is_symlink() for above in _folders(root, name))


def _copy(file: Path, copy: Path) -> None:
    """Copy a file, a link, or an empty folder in place of a submodule; nothing, if there is none of them."""
    if file.is_symlink() or file.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy, follow_symlinks=False)
    elif file.is_dir():
        copy.mkdir(parents=True, exist_ok=True)


def _put(new: Path, file: Path, temporary: str) -> None:
    """Replace a file by a new one, which is on disk before it has the file's name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if new.is_dir() and not new.is_symlink():
        file.mkdir(exist_ok=True)
        return
    written = file.parent / temporary
    try:
        if new.is_symlink():
            written.symlink_to(new.readlink())
        else:
            with new.open("rb") as source, written.open("xb") as target:
                shutil.copyfileobj(source, target)
                if new.stat().st_mode & 0o100:
                    written.chmod(written.stat().st_mode | (written.stat().st_mode & 0o444) >> 2)
                target.flush()
                os.fsync(target.fileno())
        written.replace(file)
    except OSError:
        written.unlink(missing_ok=True)
        raise


def _remove(root: Path, name: str) -> None:
    """Remove a file, and the folders above it that are empty then, as git does."""
    file = root / name
    if file.is_dir() and not file.is_symlink():
        return
    file.unlink(missing_ok=True)
    for above in _folders(root, name):
        try:
            above.rmdir()
        except OSError:
            return


def _sync(folder: Path) -> None:
    """Sync the files and folders below a folder to disk."""
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if not Path(above, name).is_symlink():
                sync_folder(Path(above, name))


def _marked(git_dir: Path) -> str:
    """Return the path that the git directory names as the folder of an apply under way, or ""."""
    try:
        with open_regular(git_dir / INTERRUPTED) as file:
            return os.fsdecode(file.read(MOST_PATH))
    except OSError:
        return ""


def check_no_interrupted_patch(git_dir: Path, root: Path, own: Path | None = None) -> None:
    """Raise UsageError if a process died while it wrote a patch to `root`, unless it did so from the folder `own`.

    The path in the git directory may be anyone's: only the name of a run is shown.
    """
    marked = Path(_marked(git_dir))
    try:
        is_left = marked.is_absolute() and marked != own and (marked / PATHS).is_file()
    except (OSError, ValueError):
        return
    if is_left:
        run = marked.parent.name
        finish = f"`swe-agent resume {run} --apply`" if RUN.fullmatch(run) else "another swe-agent"
        raise UsageError(
            f"An apply to {root} was interrupted: some of its files are written, and others are not.",
            f"Finish it: {finish}. To keep the files as they are: rm {shlex.quote(str(git_dir / INTERRUPTED))}",
        )
