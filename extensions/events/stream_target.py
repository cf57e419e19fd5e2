"""The target of an event stream: a file outside the files of the repository, or stdout."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from errno import ENXIO
from pathlib import Path

from trajectories.errors import UsageError

STDOUT = "-"


def open_target(target: str, folder: str) -> AbstractContextManager[int]:
    """Open the target of a stream in a context whose value is a descriptor; see `open_events`."""
    if target == STDOUT:
        return _stdout_to_stderr()
    path = Path(target)
    _check_outside(path, folder)
    return _open_file(path)


def _check_outside(path: Path, folder: str) -> None:
    """Raise UsageError for a file in a git repository that does not ignore it, or in the opened folder without git.

    It would be part of the base, and the model would read the stream of its own run as a change by the user.
    """
    from aci.repository.untracked_files import is_ignored
    from aci.repository.user_repository import Repository

    try:
        if path.exists() and not path.is_file():  # a pipe or a device is no file of a repository
            return
        found = path.resolve()
        source = Repository.open(found.parent)
    except OSError:
        return  # opening the file reports it
    except UsageError:  # no repository; whoever needs one reports what is wrong with it
        opened = Path(folder).expanduser()
        if folder and opened.is_dir() and found.is_relative_to(opened.resolve()):
            what = f"The events file {path} would be one of the files of {opened.resolve()}."
            raise UsageError(what, "Give a file outside that folder.") from None
        return
    if source.bare or found.is_relative_to(source.git_dir) or is_ignored(source.root, found):
        return
    what = f"The events file {path} would be one of the files of the repository {source.root}."
    raise UsageError(what, "Give a file outside it, or one that git ignores.")


@contextmanager
def _stdout_to_stderr() -> Iterator[int]:
    """Send what this process writes to stdout to stderr in this context; the value is a descriptor of stdout."""
    _flush_stdout()
    try:
        descriptor = os.dup(1)
    except OSError as error:
        raise UsageError(f"Events cannot be written to stdout: {error.strerror}.", "Give a file.") from None
    os.dup2(2, 1)
    try:
        yield descriptor
    finally:
        _flush_stdout()
        os.dup2(descriptor, 1)
        os.close(descriptor)


def _flush_stdout() -> None:
    with suppress(OSError, ValueError):
        sys.stdout.flush()


@contextmanager
def _open_file(path: Path) -> Iterator[int]:
    """Open a file to which lines are added; a line that an earlier process left incomplete is ended first."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o600)  # a pipe without a reader would block for ever
        os.set_blocking(descriptor, True)
        about = os.fstat(descriptor)
        if stat.S_ISREG(about.st_mode) and about.st_size:
            with path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    os.write(descriptor, b"\n")
    except OSError as error:
        if error.errno == ENXIO:
            what = f"Events cannot be written to {path}: nothing reads this pipe."
            raise UsageError(what, "Start its reader first.") from None
        what = f"Events cannot be written to {path}: {error.strerror}."
        raise UsageError(what, "Give a file in a folder that you can write, or `-` for stdout.") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
